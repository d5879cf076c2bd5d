import { mkdir, stat } from "node:fs/promises";
import type { Root } from "../domain/book.ts";
import type { BatchStep, JournalRoot } from "../domain/journal.ts";
import type { Operation, OperationRun } from "../domain/operation.ts";
import {
  type BookMove,
  coversRootId,
  idleOrganize,
  type Move,
  type OrganizeProgress,
  type Plan,
  placeText,
  type RootPath,
  type Strategy,
} from "../domain/organize.ts";
import type { Batch, BatchDeps } from "./batch.ts";
import { type ExtractCover, ownSidecarSteps, type PlacedCovers, placeableCovers } from "./place-covers.ts";
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
  /** Absolute path of the folder of covers. */
  readonly coversDir: string;
  readonly extractCover: ExtractCover;
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
    const due = await deps.plan(operation, signal);
    const roots = await journalRoots(deps, due);
    const covers = await placeableCovers(due.books, roots, deps.extractCover, signal);
    const plan = { ...due, books: covers.books };
    const planned = { ...plannedSummary(plan), ...coverProblems(covers) };
    if (plan.books.length === 0)
      return { books: 0, files: 0, bytes: 0, strategy: {}, ...planned, seconds: 0 };
    refuseWithoutSpace(plan);
    const progress = createBatchProgress(operation.id, totalsOf(plan), tell);
    const batch: Batch = {
      operationId: operation.id,
      kind: "organize",
      undoes: null,
      roots,
      books: plan.books.map(({ bookId, title, from, to }) => ({ bookId, title, from, to })),
      steps: [
        ...plan.books.flatMap((book) => book.moves.map((move) => stepOf(move, book.strategy))),
        ...(await ownSidecarSteps(roots, plan.books.flatMap(leaving))),
      ],
      planned,
    };
    return await runBatch(deps, batch, signal, progress);
  };
}

/** The catalogue learns of a cover, a file that it does not know, by a scan of its folder. */
function stepOf(move: Move, strategy: Strategy): BatchStep {
  const isCover = move.role === "cover";
  return {
    bookId: move.bookId,
    role: move.role,
    place: {
      source: move.from,
      destination: move.to,
      // A second name for the one that is kept would change with whatever somebody does to it.
      strategy: isCover ? "copy" : strategy,
      known: null,
      discardsSource: move.removesSource,
    },
    removes: [],
    relocates: isCover ? null : { from: move.from, to: move.to, there: null },
  };
}

/** A book that goes, and leaves behind what we wrote about it. */
function leaving({
  bookId,
  from,
  to,
  moves,
}: BookMove): readonly { bookId: string; from: RootPath; hasFolder: boolean }[] {
  const goes = moves.some(({ removesSource }) => removesSource);
  if (!goes || placeText(from) === placeText(to)) return [];
  return [{ bookId, from, hasFolder: !moves.some((move) => placeText(move.from) === placeText(from)) }];
}

function coverProblems({ problems }: PlacedCovers): Readonly<Record<string, unknown>> {
  if (problems.length === 0) return {};
  return { cover_problem_count: problems.length, cover_problems: problems.slice(0, shownInSummary) };
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
async function journalRoots(
  { roots, coversDir }: Pick<OrganizeDeps, "roots" | "coversDir">,
  { books }: Plan,
): Promise<readonly JournalRoot[]> {
  const touched = new Set(books.flatMap(({ from, to }) => [from.rootId, to.rootId]));
  const used: Pick<Root, "id" | "path" | "kind">[] = roots.filter(({ id }) => touched.has(id));
  if (books.some(({ moves }) => moves.some(({ role }) => role === "cover"))) {
    await mkdir(coversDir, { recursive: true });
    used.push({ id: coversRootId, path: coversDir, kind: "library" });
  }
  return await Promise.all(
    used.map(async ({ id, path, kind }) => {
      const { ino } = await stat(path, { bigint: true });
      return { id, path, ino: String(ino), kind };
    }),
  );
}
