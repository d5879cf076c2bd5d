import type { ScanTally } from "./scan-progress.ts";
import { audioFilesOf } from "./scan-unit.ts";
import type { Walk, WalkOptions } from "./walk.ts";

/**
 * Counts what lies behind `after`. The scan's own walk is held back by the reading, or it would have to keep all
 * that it finds; this one keeps nothing, so it can run ahead and tell how much there is. Never rejects: without
 * it there is no percent until the walk has ended, and what is wrong the scan will meet itself.
 */
export async function countAhead(
  walk: Walk,
  options: WalkOptions,
  after: string | null,
  tally: ScanTally,
): Promise<void> {
  tally.countingBegins();
  try {
    for await (const folders of walk({ ...options, after, namesOnly: true })) {
      for (const folder of folders) tally.counted(audioFilesOf(folder).length);
    }
    tally.totalKnown();
  } catch {
    // Said above: the scan meets the same folders.
  }
}
