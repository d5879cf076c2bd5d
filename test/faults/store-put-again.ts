import { setTimeout as delay } from "node:timers/promises";
import { openStore } from "../../src/store/open.ts";
import { operation } from "../contracts/operation-store.ts";

/**
 * Puts operations into the store in the folder that it is given until one is refused, waits until the store would
 * look for space, and puts another one. Says on standard output how both came out.
 */
const store = await openStore({ dataDir: process.argv[2] ?? "", now: () => new Date() });

async function put(): Promise<string> {
  try {
    await store.operations.put(operation());
    return "taken";
  } catch (error) {
    const isRetryable = error instanceof Error && "retryable" in error && error.retryable === true;
    return isRetryable ? "refused for now" : "refused";
  }
}

let first = "taken";
while (first === "taken") first = await put();
await delay(1100);
const again = await put();
const issues = store.issues.map(({ code }) => code);
await store.close().catch(() => undefined);
console.log(JSON.stringify({ first, again, issues }));
