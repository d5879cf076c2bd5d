import { mkdtempSync } from "node:fs";
import path from "node:path";
import { asNumber, type Row, seconds, timed } from "../measurement.ts";
import { warmUp } from "../others.ts";
import { asJson, startRunner } from "../runner.ts";

/** `kill -9` in the middle of a full scan: how much of it is done again, and how soon it goes on. */
export const resumeRow: Row = {
  name: "resume",
  run: async ({ main, library, scratchDir }) => {
    const what = "kill -9 half way, resumed";
    const dataDir = mkdtempSync(path.join(scratchDir, "resume-"));
    warmUp(library.path);
    const first = await startRunner({ main, libraryPath: library.path, dataDir });
    first.ask("scan", {}).catch(() => {});
    const half = await first.state("scan", (scan) => asNumber(scan, "files_done") >= library.fileCount / 2);
    await first.kill();
    const second = await startRunner({ main, libraryPath: library.path, dataDir });
    try {
      const rest = await timed(() => endOf(second, String(half["operation_id"])));
      const summary = asJson(rest.result["summary"]);
      if (rest.result["state"] !== "completed" || summary["resumed_from"] === null) {
        throw new Error(`the scan did not go on: ${JSON.stringify(rest.result)}`);
      }
      const atKill = Math.min(library.fileCount, asNumber(half, "files_done"));
      const counted = asNumber(summary, "books") === library.bookCount ? "" : "; books are MISSING";
      const note = `killed after ${atKill} of ${library.fileCount} files${counted}`;
      return [
        { what: `${what}: the rest`, value: seconds(rest.ms), unit: "s", note },
        { what: `${what}: start to ready`, value: seconds(second.readyMs), unit: "s" },
      ];
    } finally {
      await second.stop();
    }
  },
};

async function endOf(
  runner: Awaited<ReturnType<typeof startRunner>>,
  operationId: string,
): Promise<Readonly<Record<string, unknown>>> {
  for (;;) {
    const { items } = await runner.ask("operations", { limit: 20 });
    const operation = (Array.isArray(items) ? items : [])
      .map(asJson)
      .find((each) => each["operation_id"] === operationId);
    if (operation === undefined) throw new Error(`operation ${operationId} is not known any more`);
    if (["completed", "failed", "cancelled"].includes(String(operation["state"]))) return operation;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
