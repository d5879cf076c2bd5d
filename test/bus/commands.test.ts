import { afterEach, expect, test } from "vitest";
import { base, Cleanup, createLog, listen, makeBus, startBroker } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

test("smoke", async () => {
  const broker = await startBroker(cleanup);
  const log = createLog();
  const bus = makeBus(cleanup, { transport: { kind: "stream", open: broker.open }, log });
  await bus.start();
  expect(bus.status().connected).toBe(true);
  const listener = await listen(broker.url);
  cleanup.add(() => listener.close());
  await listener.heard(`${base}/availability`, (m) => m.at(-1)?.text === "online");
  await listener.command("query", { transaction: "t1" });
  console.log(await listener.answers("query", 1));
  console.log(log.lines);
});
