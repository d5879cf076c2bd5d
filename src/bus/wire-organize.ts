import type { BatchRecord } from "../domain/journal.ts";
import {
  type Conflict,
  type LastBatch,
  type OrganizeProgress,
  type Plan,
  placeText,
  type RootPath,
} from "../domain/organize.ts";
import { listLimits } from "./organize-payloads.ts";
import type { CommandData, StateBody } from "./topics.ts";

/* What organizing says, in the wire's spelling; see wire.ts. */

export type WirePlan = Extract<CommandData<"organize">, { readonly move_count: number }>;
export type WireBatch = CommandData<"history">["items"][number];

/** `last`: the newest batch that ended well. */
export function wireOrganize(progress: OrganizeProgress, last: LastBatch | null): StateBody<"organize"> {
  return {
    state: progress.state,
    operation_id: progress.operationId,
    books_total: progress.booksTotal,
    books_done: progress.booksDone,
    files_total: progress.filesTotal,
    files_done: progress.filesDone,
    bytes_total: progress.bytesTotal,
    bytes_done: progress.bytesDone,
    percent: progress.percent,
    last_batch: last === null ? null : wireLastBatch(last),
    conflicts: progress.conflicts,
  };
}

function wireLastBatch(last: LastBatch): StateBody<"organize">["last_batch"] {
  return {
    operation_id: last.operationId,
    finished_at: last.finishedAt,
    books: last.books,
    files: last.files,
    undoable_until: last.undoableUntil,
  };
}

export function wirePlan({ books, conflicts, skipped, bytesNeeded, bytesFree }: Plan): WirePlan {
  return {
    moves: firstOf(movesOf(books), listLimits.moves),
    move_count: books.reduce((sum, { moves }) => sum + moves.length, 0),
    conflicts: firstOf(conflicts.map(wireConflict), listLimits.conflicts),
    conflict_count: conflicts.length,
    skipped: firstOf(
      skipped.map(({ bookId, reason }) => ({ book: bookId, reason })),
      listLimits.skipped,
    ),
    skipped_count: skipped.length,
    bytes_needed: bytesNeeded,
    bytes_free: bytesFree,
  };
}

/** One by one: of a plan for a whole library only the first are looked at. */
function* movesOf(books: Plan["books"]): Generator<WirePlan["moves"][number]> {
  for (const { moves, strategy } of books) {
    for (const { bookId, role, from, to, sizeBytes } of moves) {
      const how = role === "cover" ? "copy" : strategy;
      yield { book: bookId, from: placeText(from), to: placeText(to), strategy: how, bytes: sizeBytes };
    }
  }
}

function wireConflict({ bookId, path, code, with: other, message }: Conflict): WirePlan["conflicts"][number] {
  return { book: bookId, path: placeText(path), code, with: other, message };
}

/** `moves`: from where to where, where this one batch is asked for. */
export function wireBatch(
  batch: BatchRecord,
  undoableUntil: string | null,
  moves?: readonly { readonly from: RootPath; readonly to: RootPath }[],
): WireBatch {
  return {
    operation_id: batch.operationId,
    kind: batch.kind,
    state: batch.state,
    started_at: batch.startedAt,
    finished_at: batch.finishedAt,
    books: batch.books,
    files: batch.files,
    bytes: batch.bytes,
    strategy: methodsOf(batch),
    undoes: batch.undoes,
    undone_by: batch.undoneBy,
    undoable_until: undoableUntil,
    ...(moves === undefined
      ? {}
      : { moves: firstOf(wireMoves(moves), listLimits.moves), move_count: moves.length }),
  };
}

/** As the batch's summary counts them; empty for one that has none. */
function methodsOf({ summary }: BatchRecord): WireBatch["strategy"] {
  const methods = summary?.["strategy"];
  const counted = typeof methods === "object" && methods !== null ? Object.entries(methods) : [];
  return Object.fromEntries(
    counted.filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}

function* wireMoves(
  moves: readonly { readonly from: RootPath; readonly to: RootPath }[],
): Generator<{ readonly from: string; readonly to: string }> {
  for (const { from, to } of moves) yield { from: placeText(from), to: placeText(to) };
}

/** As many of the first as fit: one that is too large by itself ends the list. */
function firstOf<T>(
  items: Iterable<T>,
  limits: { readonly entries: number; readonly bytes: number },
): readonly T[] {
  const taken: T[] = [];
  let bytes = 0;
  for (const item of items) {
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (taken.length === limits.entries || bytes > limits.bytes) break;
    taken.push(item);
  }
  return taken;
}
