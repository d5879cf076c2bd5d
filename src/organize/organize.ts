import { stat } from "node:fs/promises";
import type { Root } from "../domain/book.ts";
import type { BatchStep, JournalRoot } from "../domain/journal.ts";
import type { Operation, OperationRun } from "../domain/operation.ts";
import {
  idleOrganize,
  type Move,
  type OrganizeProgress,
  type Plan,
  type Strategy,
} from "../domain/organize.ts";
import type { Batch, BatchDeps } from "./batch.ts";
import { refuseWithoutSpace } from "./plan.ts";
import { createBatchProgress } from "./progress.ts";
import { refuseUnrecovered } from "./recover.ts";
import { resumeBatch } from "./resume-batch.ts";
import { runBatch } from "./run-batch.ts";
import { conflictRecord, shownInSummary } from "./summary.ts";

export interface OrganizeDeps extends BatchDeps {
  readonly roots: readonly Root[];
  /** What is due of what the operation's input asks for, looked up now. */
  readonly plan: (operation: Operation, signal: AbortSignal) => Promise<Plan>;
  readonly onProgress: (progress: OrganizeProgress) => void;
}

/**
 * The run of operations of kind `organize`. Books with a conflict are left out and named in the summary; the others go
 * as one batch, all or none. Throws the failure that made it roll back.
 */
export function createOrganizeRun(deps: OrganizeDeps): OperationRun {
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
    deps.onProgress({ ...idleOrganize, state: "planning", operationId: operation.id });
    const plan = await deps.plan(operation, signal);
    const planned = plannedSummary(plan);
    if (plan.books.length === 0)
      return { books: 0, files: 0, bytes: 0, strategy: {}, ...planned, seconds: 0 };
    refuseWithoutSpace(plan);
    const progress = createBatchProgress(operation.id, totalsOf(plan), tell);
    const batch: Batch = {
      operationId: operation.id,
      kind: "organize",
      undoes: null,
      roots: await journalRoots(deps.roots, plan),
      books: plan.books.map(({ bookId, title, from, to }) => ({ bookId, title, from, to })),
      steps: plan.books.flatMap((book) => book.moves.map((move) => stepOf(move, book.strategy))),
      planned,
    };
    return await runBatch(deps, batch, signal, progress);
  };
}

function stepOf(move: Move, strategy: Strategy): BatchStep {
  return {
    bookId: move.bookId,
    role: move.role,
    place: {
      source: move.from,
      destination: move.to,
      strategy,
      known: null,
      discardsSource: move.removesSource,
    },
    removes: [],
    relocates: { from: move.from, to: move.to, there: null },
  };
}

function plannedSummary({ conflicts, skipped }: Plan): Readonly<Record<string, unknown>> {
  return {
    conflict_count: conflicts.length,
    conflicts: conflicts.slice(0, shownInSummary).map(conflictRecord),
    skipped: skipped.length,
  };
}

function totalsOf({ books, conflicts }: Plan): Parameters<typeof createBatchProgress>[1] {
  const filesOf = new Map(books.map(({ bookId, moves }) => [bookId, moves.length]));
  const bytes = books.flatMap(({ moves }) => moves).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { filesOf, bytes, work: bytes, conflicts: conflicts.length };
}

/** With their inodes: a root whose disk is away later must not be taken for an empty one. */
async function journalRoots(roots: readonly Root[], { books }: Plan): Promise<readonly JournalRoot[]> {
  const touched = new Set(books.flatMap(({ from, to }) => [from.rootId, to.rootId]));
  const used = roots.filter(({ id }) => touched.has(id));
  return await Promise.all(
    used.map(async ({ id, path, kind }) => {
      const { ino } = await stat(path, { bigint: true });
      return { id, path, ino: String(ino), kind };
    }),
  );
}
