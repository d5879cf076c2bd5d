import { mkdtempSync, readFileSync } from "node:fs";
import path from "node:path";
import type { ScanCheckpoint } from "../../src/domain/scan.ts";
import { openStore } from "../../src/store/open.ts";
import { type Row, type RowResult, timed } from "../measurement.ts";

const foldersPerCheckpoint = 100;
/** The bars: a scan at that rate, of a library with so many files to a folder. */
const filesPerSecond = 4000;
const filesPerFolder = 50_000 / 13_000;

/** What the checkpoints of a scan write and cost, all the waiting for the disk included. */
export const checkpointRow: Row = {
  name: "checkpoint",
  run: async ({ scratchDir, isLarge }) => {
    const results: RowResult[] = [];
    for (const folders of [1000, 10_000, ...(isLarge ? [100_000] : [])]) {
      results.push(...(await measure(scratchDir, folders)));
    }
    return isLarge
      ? results
      : [...results, { what: "checkpoints of 100,000 folders", skipped: "only with --large" }];
  },
};

async function measure(scratchDir: string, folders: number): Promise<readonly RowResult[]> {
  const dataDir = mkdtempSync(path.join(scratchDir, "checkpoint-"));
  const store = await openStore({ dataDir, now: () => new Date() });
  try {
    const writtenBefore = bytesWritten();
    const saved = await timed(async () => {
      for (let folder = foldersPerCheckpoint; folder <= folders; folder += foldersPerCheckpoint) {
        await store.checkpoints.save(checkpointAt(folder), []);
      }
    });
    const scanMs = (folders * filesPerFolder * 1000) / filesPerSecond;
    const name = folders.toLocaleString("en");
    return [
      {
        what: `checkpoints of ${name} folders`,
        value: (bytesWritten() - writtenBefore) / folders,
        unit: "bytes/folder",
      },
      {
        what: `checkpoints of ${name} folders, of the scan's time`,
        value: (100 * saved.ms) / scanMs,
        unit: "%",
        bar: { max: 2 },
        note: `${((saved.ms * foldersPerCheckpoint) / folders).toFixed(1)} ms each, beside the reading`,
      },
    ];
  } finally {
    await store.close();
  }
}

function checkpointAt(folder: number): ScanCheckpoint {
  return {
    operationId: "c7d0f1c2-6a86-4f5e-9a53-0d6f5a3a9a11",
    rootId: "books",
    cursor: `Author ${String(Math.floor(folder / 6)).padStart(7, "0")}/Book ${String(folder).padStart(7, "0")}`,
    counts: { dirs: folder, files: folder * 4, problemCount: 0 },
    elapsedMs: folder,
    savedAt: new Date().toISOString(),
  };
}

/** By this process, compaction included. */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
}
