import type { BatchEnded, PlannedRemoval } from "../domain/journal.ts";
import type { RootPath } from "../domain/organize.ts";
import { isUnchanged, lookAt, openSource } from "../files/facts.ts";
import { hashFile } from "../files/hash.ts";
import { moveToTrash, removeFile } from "../files/remove.ts";
import type { BatchRecords, StepRecords } from "./batch-records.ts";
import { absolutePath } from "./batch-roots.ts";

type Discarded = Pick<BatchEnded, "kept" | "trashed">;

/**
 * Removes what a committed batch no longer needs, each file only after a fresh look: it is still what was planned, and
 * what was made of it is in its place. A source whose placed file is the same inode loses one of its two names; any
 * other goes to the trash beside it. What is gone already was removed before a crash. Never throws for a single file.
 */
export async function discardSources(batch: BatchRecords, afterCrash: boolean): Promise<Discarded> {
  const kept: BatchEnded["kept"][number][] = [];
  const trashed: BatchEnded["trashed"][number][] = [];
  for (const step of batch.steps) {
    for (const removal of step.planned.removes) {
      const { n } = step.planned;
      const { file } = removal;
      try {
        const wrong = await whyNotPlaced(batch, step, afterCrash);
        if (wrong !== null) {
          kept.push({ n, file, reason: wrong });
          continue;
        }
        const trash = await discard(batch, step, removal);
        if (trash !== null) trashed.push({ n, file, trash });
      } catch (error) {
        kept.push({ n, file, reason: error instanceof Error ? error.message : String(error) });
      }
    }
  }
  return { kept, trashed };
}

/** Why a source must not go: what was placed is not there, or not what it was. */
async function whyNotPlaced(
  { begun }: BatchRecords,
  { planned, done }: StepRecords,
  afterCrash: boolean,
): Promise<string | null> {
  if (planned.place === null) return null;
  const destination = absolutePath(begun.roots, planned.place.destination);
  if (done === null) return `${destination} was never placed`;
  const there = await lookAt(destination);
  if (there === null) return `${destination} is gone`;
  if (!isUnchanged(done.facts, there.facts)) return `${destination} was changed`;
  if (!afterCrash || done.method === "hardlink" || done.sha256 === null) return null;
  const { handle } = await openSource(destination);
  try {
    const sha256 = await hashFile(handle, { signal: new AbortController().signal });
    return sha256 === done.sha256 ? null : `${destination} does not hold what was placed`;
  } finally {
    await handle.close();
  }
}

/** Where the trash has it; null where it was only a second name, or is gone. */
async function discard(
  { begun }: BatchRecords,
  { planned, done }: StepRecords,
  { file, facts, how }: PlannedRemoval,
): Promise<RootPath | null> {
  const absolute = absolutePath(begun.roots, file);
  const trash: RootPath = {
    rootId: file.rootId,
    path: `.tomekeeper-trash/${begun.operationId}/${file.path}`,
  };
  const trashPath = absolutePath(begun.roots, trash);
  const there = await lookAt(absolute);
  if (there === null) {
    const inTrash = how === "discard" ? await lookAt(trashPath) : null;
    return inTrash === null ? null : trash;
  }
  if (!isUnchanged(facts, there.facts)) throw new Error(`${absolute} was changed since it was looked at`);
  const isSecondName = done?.method === "hardlink" && planned.place !== null;
  if (how === "unlink" || isSecondName) {
    await removeFile(absolute, there.facts);
    return null;
  }
  await moveToTrash(absolute, trashPath, there.facts);
  return trash;
}
