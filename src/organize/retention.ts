import path from "node:path";
import type { BatchRecord } from "../domain/journal.ts";
import { isUnchanged, lookAt } from "../files/facts.ts";
import { removeFile } from "../files/remove.ts";
import { syncFolder } from "../files/sync.ts";
import type { BatchDeps } from "./batch.ts";
import { readBatch } from "./batch-records.ts";
import { absolutePath, parentOf, upwards } from "./batch-roots.ts";
import { removeEmpty } from "./made-folders.ts";

export interface Retention {
  /** How long a batch can be undone, in days. */
  readonly undoDays: number;
  /** How long the trash keeps what a batch took away, in days. */
  readonly trashDays: number;
}

/** When a batch is forgotten, in milliseconds since the epoch; null while it has not ended. */
export function undoableUntilMs(
  { finishedAt }: Pick<BatchRecord, "finishedAt">,
  undoDays: number,
): number | null {
  return finishedAt === null ? null : Date.parse(finishedAt) + undoDays * dayMs;
}

/** Empties the trash of what has been in it for long enough, and forgets batches that are too old to be undone. */
export async function expireBatches(
  deps: Pick<BatchDeps, "journals" | "now" | "warn">,
  retention: Retention,
): Promise<void> {
  const nowMs = deps.now().getTime();
  for (const batch of deps.journals.batches()) {
    if (batch.finishedAt === null) continue;
    const ageMs = nowMs - Date.parse(batch.finishedAt);
    const isForgotten = ageMs > retention.undoDays * dayMs;
    try {
      if (batch.hasTrash && (isForgotten || ageMs > retention.trashDays * dayMs)) {
        await emptyTrash(deps, batch.operationId);
        await deps.journals.put({ ...batch, hasTrash: false });
      }
      if (isForgotten) await deps.journals.remove(batch.operationId);
    } catch (error) {
      // The other batches have their turn; this one is tried again next time.
      const reason = error instanceof Error ? error.message : String(error);
      deps.warn(`the batch ${batch.operationId} could not be expired: ${reason}`);
    }
  }
}

const dayMs = 24 * 60 * 60 * 1000;

/** Removes what the journal says is ours in the trash, and the trash's folders as far as they are empty then. */
async function emptyTrash({ journals }: Pick<BatchDeps, "journals">, id: string): Promise<void> {
  const { begun, steps, ended } = readBatch(await journals.read(id));
  for (const { n, file, trash } of ended?.trashed ?? []) {
    const absolute = absolutePath(begun.roots, trash);
    const step = steps.find(({ planned }) => planned.n === n);
    const removal = step?.planned.removes.find((planned) => planned.file.path === file.path);
    const there = await lookAt(absolute);
    if (there === null || removal === undefined || !isUnchanged(removal.facts, there.facts)) continue;
    await removeFile(absolute, there.facts);
    for (const folder of upwards(parentOf(trash))) {
      if (folder.path === "") break;
      const emptied = absolutePath(begun.roots, folder);
      if (!(await removeEmpty(emptied))) break;
      await syncFolder(path.dirname(emptied));
    }
  }
}
