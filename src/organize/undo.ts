import { type BatchRecord, type BatchStep, isOfBatch } from "../domain/journal.ts";
import type { Operation, OperationRun } from "../domain/operation.ts";
import { type Conflict, type OrganizeProgress, placeText, type RootPath } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import type { JournalStore } from "../store/ports.ts";
import type { Batch, BatchDeps } from "./batch.ts";
import { type BatchRecords, readBatch } from "./batch-records.ts";
import { ownSidecarSteps } from "./place-covers.ts";
import { createBatchProgress } from "./progress.ts";
import { refuseUnrecovered } from "./recover.ts";
import { resumeBatch } from "./resume-batch.ts";
import { runBatch } from "./run-batch.ts";
import { conflictRecord, shownInSummary } from "./summary.ts";
import { planUndo } from "./undo-plan.ts";

export interface UndoDeps extends BatchDeps {
  readonly onProgress: (progress: OrganizeProgress) => void;
}

/**
 * The run of operations of kind `undo`: input `{batch, partial}`. The way back is a batch like the way there, with a
 * journal of its own. Throws `conflict` where files refuse and `partial` is not set: then nothing is undone.
 */
export function createUndoRun(deps: UndoDeps): OperationRun {
  return async (operation, { signal, report }) => {
    const done = deps.journals.batch(operation.id);
    if (done?.state === "ended" && done.summary !== null) return done.summary;
    const tell = (shown: OrganizeProgress): void => {
      deps.onProgress(shown);
      report(shown.percent);
    };
    const resumed = await resumeBatch(deps, operation.id, signal, tell);
    if (resumed !== null) return resumed;
    signal.throwIfAborted();
    await refuseUnrecovered(deps);
    const target = undoable(deps.journals, String(operation.input["batch"]));
    const original = readBatch(await deps.journals.read(target.operationId));
    const progress = createBatchProgress(operation.id, totalsOf(original), tell);
    progress.enter("undoing");
    const { steps, refused } = await planUndo(original, { signal, onBytes: progress.bytes });
    if (refused.length > 0 && operation.input["partial"] !== true) throw refusal(refused);
    const batch = await undoBatch(operation, original, steps, refused);
    return await runBatch(deps, batch, signal, progress);
  };
}

/** The batch to take back. Throws `not_found`, or `conflict` with the reason why it cannot be undone. */
export function undoable(journals: JournalStore, id: string): BatchRecord {
  const batch = journals.batch(id);
  if (batch === null) {
    throw new AppError(
      "not_found",
      `No organize ${id} is known that could be undone: it never was, or has expired`,
      {
        details: { operation_id: id },
      },
    );
  }
  const because = whyNot(batch);
  if (because === null) return batch;
  throw new AppError("conflict", `${id} cannot be undone: ${because}`, {
    details: { operation_id: id, state: batch.state },
  });
}

function whyNot({ kind, state, undoneBy }: BatchRecord): string | null {
  if (kind === "undo") return "it is an undo itself; organize again instead";
  switch (state) {
    case "ended":
    case "partly_undone":
      return null;
    case "undone":
      return `it was undone already, by ${undoneBy}`;
    case "rolled_back":
      return "it was rolled back, so nothing of it is there";
    case "open":
      return "it has not ended";
  }
}

function totalsOf({ steps }: BatchRecords): Parameters<typeof createBatchProgress>[1] {
  const filesOf = new Map<string, number>();
  let bytes = 0;
  for (const { planned } of steps) {
    if (!isOfBatch(planned)) continue;
    filesOf.set(planned.bookId, (filesOf.get(planned.bookId) ?? 0) + 1);
    bytes += planned.place?.facts.sizeBytes ?? 0;
  }
  return { filesOf, bytes, work: bytes, conflicts: 0 };
}

async function undoBatch(
  operation: Operation,
  original: BatchRecords,
  steps: readonly BatchStep[],
  refused: readonly Conflict[],
): Promise<Batch> {
  const returning = new Set(steps.map(({ bookId }) => bookId));
  const placed = new Set(original.steps.flatMap(({ planned }) => placeKeyOf(planned.place?.destination)));
  const leaving = original.books
    .filter(({ bookId, from, to }) => returning.has(bookId) && placeText(from) !== placeText(to))
    .map(({ bookId, to }) => ({ bookId, from: to, hasFolder: !placed.has(placeText(to)) }));
  return {
    operationId: operation.id,
    kind: "undo",
    undoes: original.begun.operationId,
    roots: original.begun.roots,
    books: original.books
      .filter(({ bookId }) => returning.has(bookId))
      .map(({ bookId, title, from, to }) => ({ bookId, title, from: to, to: from })),
    steps: [...steps, ...(await ownSidecarSteps(original.begun.roots, leaving))],
    planned: {
      undoes: original.begun.operationId,
      conflict_count: refused.length,
      conflicts: refused.slice(0, shownInSummary).map(conflictRecord),
      skipped: 0,
    },
  };
}

function placeKeyOf(place: RootPath | undefined): readonly string[] {
  return place === undefined ? [] : [placeText(place)];
}

function refusal(refused: readonly Conflict[]): AppError {
  const [first] = refused;
  const more = refused.length === 1 ? "" : ` (and ${refused.length - 1} more)`;
  return new AppError(
    "conflict",
    `Nothing was undone: ${first?.message}${more}. With partial the rest is undone and these stay.`,
    {
      details: {
        conflict_count: refused.length,
        conflicts: refused.slice(0, shownInSummary).map(conflictRecord),
      },
    },
  );
}
