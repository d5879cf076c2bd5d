import { mkdtempSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  asNumber,
  type BenchContext,
  megabytes,
  type Row,
  type RowResult,
  seconds,
  timed,
} from "../measurement.ts";
import { warmUp } from "../others.ts";
import { startRunner } from "../runner.ts";

/** Until threads that have nothing to do have ended and the heap has been given back. */
const idleMs = 15_000;

/** A full scan into an empty catalogue, the same again unchanged, and the memory that it took. */
export const scanRow: Row = {
  name: "scan",
  run: async ({ main, library, scratchDir }: BenchContext): Promise<readonly RowResult[]> => {
    const dataDir = mkdtempSync(path.join(scratchDir, "scan-"));
    warmUp(library.path);
    const runner = await startRunner({ main, libraryPath: library.path, dataDir });
    try {
      await runner.loopDelay();
      const full = await timed(() => runner.ask("scan", {}));
      const delay = await runner.loopDelay();
      const { peakBytes } = runner.memory();
      expectBooks(full.result["summary"], library.bookCount);
      const again = await timed(() => runner.ask("scan", {}));
      await sleep(idleMs);
      const { rssBytes } = runner.memory();
      return [
        {
          what: "full scan",
          value: library.fileCount / seconds(full.ms),
          unit: "files/s",
          bar: { min: 4000 },
        },
        { what: "full scan, all of it", value: seconds(full.ms), unit: "s" },
        { what: "full scan, event loop late, p99", value: delay.p99Ms, unit: "ms" },
        { what: "unchanged re-scan", value: seconds(again.ms), unit: "s", bar: { max: 1 } },
        { what: "peak RSS in a full scan", value: megabytes(peakBytes), unit: "MB", bar: { max: 350 } },
        { what: "RSS, idle after it", value: megabytes(rssBytes), unit: "MB" },
      ];
    } finally {
      await runner.stop();
    }
  },
};

/** A figure of a scan that did not find everything would say nothing. */
function expectBooks(summary: unknown, expected: number): void {
  const found = asNumber(summary, "books");
  const problems = asNumber(summary, "problem_count");
  if (found !== expected || problems > 0) {
    throw new Error(`the scan found ${found} books of ${expected}, with ${problems} problems`);
  }
}
