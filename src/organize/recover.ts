import { stat } from "node:fs/promises";
import type { BatchRecord, JournalRoot } from "../domain/journal.ts";
import { AppError, systemCode } from "../errors.ts";
import type { BatchDeps } from "./batch.ts";
import { readBatch } from "./batch-records.ts";
import { completeBatch } from "./complete-batch.ts";
import { rollBack } from "./roll-back.ts";

/** A batch that could not be recovered yet. */
export interface Unrecovered {
  readonly operationId: string;
  readonly reason: string;
}

/**
 * Ends what a crash left open, oldest first: without its commit a batch is taken back, with it completed. Doing it
 * twice, or dying in the middle of it, changes nothing. One that was parked stays as it is. A batch whose disk is not there waits for it; nothing is
 * concluded from what cannot be seen.
 */
export async function recoverBatches(deps: BatchDeps): Promise<readonly Unrecovered[]> {
  const unrecovered: Unrecovered[] = [];
  for (const batch of deps.journals.batches().toReversed()) {
    if (batch.state !== "open" || deps.running.has(batch.operationId)) continue;
    if (deps.recovering.has(batch.operationId)) {
      unrecovered.push({ operationId: batch.operationId, reason: "that is being done right now" });
      continue;
    }
    deps.recovering.add(batch.operationId);
    try {
      const reason = await recover(deps, batch);
      if (reason !== null) unrecovered.push({ operationId: batch.operationId, reason });
    } catch (error) {
      unrecovered.push({
        operationId: batch.operationId,
        reason: error instanceof Error ? error.message : String(error),
      });
    } finally {
      deps.recovering.delete(batch.operationId);
    }
  }
  return unrecovered;
}

/** Recovers what can be. Throws `busy` while a batch is still open: nobody knows yet what it left. */
export async function refuseUnrecovered(deps: BatchDeps): Promise<void> {
  const [first] = await recoverBatches(deps);
  if (first === undefined) return;
  throw new AppError("busy", `The batch ${first.operationId} has to be recovered first: ${first.reason}`, {
    retryable: true,
    details: { operation_id: first.operationId },
  });
}

async function recover(deps: BatchDeps, batch: BatchRecord): Promise<string | null> {
  const journal = await deps.journals.resume(batch.operationId);
  if (journal === null || journal.records.length === 0) {
    await journal?.close();
    // The first record was never acknowledged, so nothing was done.
    await deps.journals.put({ ...batch, state: "rolled_back", finishedAt: deps.now().toISOString() });
    return null;
  }
  try {
    const { begun, isCommitted, isRolledBack, parked } = readBatch(journal.records);
    if (parked !== null && deps.goesOn(batch.operationId)) return null;
    const missing = isRolledBack ? null : await missingRoot(begun.roots);
    if (missing !== null)
      return `${missing.path} of root ${missing.id} is not there: it is recovered when it is back`;
    if (isCommitted && !isRolledBack) {
      await completeBatch(deps, journal, { afterCrash: true });
      deps.warn(
        `the batch ${batch.operationId} was committed before the runner stopped, and is completed now`,
      );
    } else {
      const leftovers = await rollBack(deps, journal, "the runner stopped before it was committed");
      deps.warn(`the batch ${batch.operationId} was taken back: the runner had stopped in the middle of it`);
      if (leftovers.length > 0) deps.warn(`${leftovers.length} file(s) of it stay where they are`);
    }
    return null;
  } finally {
    await journal.close();
  }
}

/** An unmounted disk leaves its folder behind, with another inode. */
export async function missingRoot(roots: readonly JournalRoot[]): Promise<JournalRoot | null> {
  for (const root of roots) {
    const stats = await stat(root.path, { bigint: true }).catch((error: unknown) => {
      if (systemCode(error) === null) throw error;
      return null;
    });
    if (stats === null || String(stats.ino) !== root.ino) return root;
  }
  return null;
}
