import { mkdtempSync } from "node:fs";
import path from "node:path";
import { makeBenchLibrary } from "../make-library.ts";
import { type Row, type RowResult, seconds, timed } from "../measurement.ts";
import { asJson, type BenchRunner, startRunner } from "../runner.ts";

const commandCount = 10_000;

/** Ten thousand commands as fast as a client can send them: each must be answered, once. */
export const burstRow: Row = {
  name: "burst",
  run: async ({ main, cacheDir, scratchDir }) => {
    const library = await makeBenchLibrary(cacheDir, 500);
    const dataDir = mkdtempSync(path.join(scratchDir, "burst-"));
    const runner = await startRunner({ main, libraryPath: library.path, dataDir });
    try {
      await runner.ask("scan", {});
      const queries = await measure(runner, "query", (i) => ({ limit: 1, offset: i % 100 }), "queries");
      const scans = await measure(runner, "scan", () => ({}), "scans of one folder");
      return [...queries, ...scans];
    } finally {
      await runner.stop();
    }
  },
};

async function measure(
  runner: BenchRunner,
  command: string,
  payloadOf: (i: number) => object,
  name: string,
): Promise<readonly RowResult[]> {
  const { client, base } = runner;
  const answers = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  const heard = (topic: string, bytes: Buffer) => {
    if (topic !== `${base}/response/${command}`) return;
    const { transaction, status } = asJson(JSON.parse(bytes.toString()));
    if (status === "accepted") return;
    if (status === "error") all.reject(new Error(`${command}: ${bytes}`));
    answers.set(String(transaction), (answers.get(String(transaction)) ?? 0) + 1);
    if (answers.size === commandCount) all.resolve();
  };
  await client.subscribeAsync(`${base}/response/${command}`, { qos: 1 });
  client.on("message", heard);
  await runner.loopDelay();
  const burst = await timed(async () => {
    for (let i = 0; i < commandCount; i++) {
      const payload = { ...payloadOf(i), transaction: `burst-${command}-${i}` };
      client.publish(`${base}/cmd/${command}`, JSON.stringify(payload), { qos: 1 });
    }
    await all.promise;
  });
  const delay = await runner.loopDelay();
  client.off("message", heard);
  const twice = [...answers.values()].filter((count) => count > 1).length;
  const what = `10,000 commands at once, ${name}`;
  return [
    { what, value: seconds(burst.ms), unit: "s", bar: { max: 5 } },
    { what: `${what}: answered more than once`, value: twice, unit: "commands", bar: { max: 0 } },
    { what: `${what}: event loop late, p99`, value: delay.p99Ms, unit: "ms", bar: { max: 100 } },
  ];
}
