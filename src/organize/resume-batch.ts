import { isOfBatch } from "../domain/journal.ts";
import type { OrganizeProgress } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import type { Journal } from "../store/ports.ts";
import type { BatchDeps } from "./batch.ts";
import { type BatchRecords, readBatch } from "./batch-records.ts";
import { type BatchProgress, createBatchProgress } from "./progress.ts";
import { missingRoot } from "./recover.ts";
import { runSteps } from "./run-batch.ts";

/**
 * Goes on with a batch that was parked; null where the operation has none. With a signal that is aborted already it is
 * taken back. Throws `busy` (retryable) where one of its disks is not there, and what a batch throws.
 */
export async function resumeBatch(
  deps: BatchDeps,
  operationId: string,
  signal: AbortSignal,
  onProgress: (progress: OrganizeProgress) => void,
): Promise<Readonly<Record<string, unknown>> | null> {
  if (deps.journals.batch(operationId)?.state !== "open") return null;
  const journal = await deps.journals.resume(operationId);
  if (journal === null) return null;
  const parked = await parkedIn(journal).catch(async (error: unknown) => {
    await journal.close();
    throw error;
  });
  if (parked === null) {
    await journal.close();
    return null;
  }
  const { records, rest } = parked;
  deps.running.add(operationId);
  try {
    const progress = progressSoFar(operationId, parked, onProgress);
    const batch = { kind: records.begun.kind, roots: records.begun.roots, steps: rest };
    return await runSteps(deps, batch, journal, signal, progress);
  } finally {
    deps.running.delete(operationId);
  }
}

interface Parked {
  readonly records: BatchRecords;
  readonly rest: NonNullable<BatchRecords["parked"]>["rest"];
  readonly bytes: number;
}

async function parkedIn(journal: Journal): Promise<Parked | null> {
  if (journal.records.length === 0) return null;
  const records = readBatch(journal.records);
  if (records.parked === null) return null;
  const missing = await missingRoot(records.begun.roots);
  if (missing !== null) {
    throw new AppError(
      "busy",
      `${missing.path} of root ${missing.id} is not there: it goes on when it is back`,
      {
        retryable: true,
        details: { path: missing.path },
      },
    );
  }
  return { records, rest: records.parked.rest, bytes: records.parked.bytes };
}

function progressSoFar(
  operationId: string,
  { records, rest, bytes }: Parked,
  onProgress: (progress: OrganizeProgress) => void,
): BatchProgress {
  const left = new Set(rest.map(({ n }) => n));
  const done = records.steps
    .map(({ planned }) => planned)
    .filter((planned) => !left.has(planned.n) && isOfBatch(planned));
  const filesOf = new Map<string, number>();
  for (const { bookId } of [...done, ...rest].filter(isOfBatch))
    filesOf.set(bookId, (filesOf.get(bookId) ?? 0) + 1);
  const conflicts = Number(records.begun.planned["conflict_count"] ?? 0);
  const progress = createBatchProgress(operationId, { filesOf, bytes, work: bytes, conflicts }, onProgress);
  for (const { bookId, place } of done) {
    progress.bytes(place?.facts.sizeBytes ?? 0);
    progress.placed(bookId);
  }
  return progress;
}
