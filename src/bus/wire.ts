import type { Book, BookFields, BookSummary, Companion, Track } from "../domain/book.ts";
import type { LibraryTotals } from "../domain/catalogue.ts";
import type { MemoryUse } from "../domain/diagnostic.ts";
import type { BatchRecord } from "../domain/journal.ts";
import { isEnded, type Operation } from "../domain/operation.ts";
import {
  type LastBatch,
  type OrganizeProgress,
  type Plan,
  placeText,
  type RootPath,
} from "../domain/organize.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import type { ScanProgress } from "../domain/scan.ts";
import type { CommandData, CommandInput, StateBody } from "./topics.ts";

/* Our spelling to the wire's: every key by name, so that a renamed field cannot rename a topic's key. */

export type WireBookSummary = CommandData<"query">["items"][number];
export type WireBook = CommandData<"book">;
export type WireOperation = CommandData<"operations">["items"][number];

export function wireBookSummary(book: BookSummary): WireBookSummary {
  return {
    id: book.id,
    root_id: book.rootId,
    path: book.path,
    state: book.state,
    title: book.title,
    subtitle: book.subtitle,
    authors: book.authors,
    narrators: book.narrators,
    series: book.series.map(({ name, position }) => ({ name, position })),
    year: book.year,
    publisher: book.publisher,
    language: book.language,
    asin: book.asin,
    isbn: book.isbn,
    duration_seconds: book.durationSeconds,
    bytes: book.sizeBytes,
    format: book.format,
    track_count: book.trackCount,
    chapter_count: book.chapterCount,
    has_cover: book.hasCover,
    added_at: book.addedAt,
    changed_at: book.changedAt,
  };
}

/** `history`: the operations that touched it, newest first. */
export function wireBook(book: Book, history: readonly Operation[]): WireBook {
  const summary = wireBookSummary({
    ...book,
    trackCount: book.tracks.length,
    chapterCount: book.chapters.length,
    hasCover: book.cover !== null,
  });
  return {
    ...summary,
    description: book.description,
    genres: book.genres,
    explicit: book.explicit,
    abridged: book.abridged,
    reason: book.reason,
    review_reason: book.reviewReason,
    cover: book.cover === null ? null : { kind: book.cover.kind, path: book.cover.path },
    tracks: book.tracks.map(wireTrack),
    chapters: book.chapters.map(({ title, startMs, endMs }) => ({ title, start_ms: startMs, end_ms: endMs })),
    companions: book.companions.map(wireCompanion),
    provenance: { ...book.provenance },
    history: history.map(wireOperation),
  };
}

function wireTrack(track: Track): WireBook["tracks"][number] {
  return {
    path: track.path,
    title: track.title,
    disc: track.disc,
    track: track.track,
    duration_seconds: track.durationSeconds,
    bytes: track.sizeBytes,
    format: track.format,
  };
}

function wireCompanion(companion: Companion): WireBook["companions"][number] {
  return { path: companion.path, kind: companion.kind, bytes: companion.sizeBytes };
}

/** The short form of a book in an event. */
export function wireEventBook(
  book: Pick<BookSummary, "id" | "title" | "authors" | "rootId" | "path">,
): Readonly<Record<string, unknown>> {
  return { id: book.id, title: book.title, authors: book.authors, root_id: book.rootId, path: book.path };
}

export function wireOperation(operation: Operation): WireOperation {
  return {
    operation_id: operation.id,
    kind: operation.kind,
    state: operation.state,
    priority: operation.priority,
    scope: operation.scopes[0] ?? "",
    scopes: operation.scopes,
    percent: operation.percent,
    attempts: operation.attempts,
    created_at: operation.createdAt,
    started_at: operation.startedAt,
    finished_at: operation.finishedAt,
    transaction: operation.transaction,
    error: operation.error,
    summary: isEnded(operation.state) ? operation.summary : null,
  };
}

export function wireScan(progress: ScanProgress): StateBody<"scan"> {
  return {
    state: progress.state,
    operation_id: progress.operationId,
    root_id: progress.rootId,
    path: progress.path,
    dirs_found: progress.dirsFound,
    dirs_done: progress.dirsDone,
    files_found: progress.filesFound,
    files_done: progress.filesDone,
    books_found: progress.booksFound,
    percent: progress.percent,
    eta_seconds: progress.etaSeconds,
    resumed_from: progress.resumedFrom,
    problems: progress.problems,
  };
}

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
    last_batch:
      last === null
        ? null
        : {
            operation_id: last.operationId,
            finished_at: last.finishedAt,
            books: last.books,
            files: last.files,
            undoable_until: last.undoableUntil,
          },
    conflicts: progress.conflicts,
  };
}

/** So many moves keep an answer well under the size that brokers and our own limit take. */
const movesInAnswer = 500;
const othersInAnswer = 100;

export function wirePlan(plan: Plan): Extract<CommandData<"organize">, { move_count: number }> {
  const moves = plan.books.flatMap(({ moves: own, strategy }) =>
    own.map(({ bookId, from, to, sizeBytes }) => ({
      book: bookId,
      from: placeText(from),
      to: placeText(to),
      strategy,
      bytes: sizeBytes,
    })),
  );
  return {
    moves: moves.slice(0, movesInAnswer),
    move_count: moves.length,
    conflicts: plan.conflicts
      .slice(0, othersInAnswer)
      .map(({ bookId, path, code, with: other, message }) => ({
        book: bookId,
        path: placeText(path),
        code,
        with: other,
        message,
      })),
    conflict_count: plan.conflicts.length,
    skipped: plan.skipped.slice(0, othersInAnswer).map(({ bookId, reason }) => ({ book: bookId, reason })),
    skipped_count: plan.skipped.length,
    bytes_needed: plan.bytesNeeded,
    bytes_free: plan.bytesFree,
  };
}

/** `moves`: from where to where, where one batch is asked for. */
export function wireBatch(
  batch: BatchRecord,
  undoableUntil: string | null,
  moves?: readonly { readonly from: RootPath; readonly to: RootPath }[],
): CommandData<"history">["items"][number] {
  return {
    operation_id: batch.operationId,
    kind: batch.kind,
    state: batch.state,
    started_at: batch.startedAt,
    finished_at: batch.finishedAt,
    books: batch.books,
    files: batch.files,
    bytes: batch.bytes,
    undoes: batch.undoes,
    undone_by: batch.undoneBy,
    undoable_until: undoableUntil,
    ...(moves === undefined
      ? {}
      : {
          moves: moves
            .slice(0, movesInAnswer)
            .map(({ from, to }) => ({ from: placeText(from), to: placeText(to) })),
        }),
  };
}

export function wireQueue(snapshot: QueueSnapshot): StateBody<"queue"> {
  const { queued, waiting, running, completed, failed, cancelled, interrupted } = snapshot.counts;
  return {
    state: snapshot.state,
    counts: { queued, waiting, running, completed, failed, cancelled, interrupted },
    by_priority: {
      low: snapshot.byPriority.low,
      normal: snapshot.byPriority.normal,
      high: snapshot.byPriority.high,
    },
    workers: {
      current: snapshot.workers.current,
      min: snapshot.workers.min,
      max: snapshot.workers.max,
    },
    oldest_wait_seconds: snapshot.oldestWaitSeconds,
    running: snapshot.running.map(({ operationId, kind, scope, percent }) => ({
      operation_id: operationId,
      kind,
      scope,
      percent,
    })),
    waiting: snapshot.waiting.map(({ operationId, kind, scope, reason }) => ({
      operation_id: operationId,
      kind,
      scope,
      reason,
    })),
  };
}

export function wireLibrary(
  totals: LibraryTotals & { readonly roots: Readonly<Record<string, LibraryTotals>> },
): StateBody<"library"> {
  const roots = Object.entries(totals.roots).map(([id, ofRoot]) => [id, wireTotals(ofRoot)] as const);
  return { ...wireTotals(totals), roots: Object.fromEntries(roots) };
}

function wireTotals(totals: LibraryTotals): StateBody<"library">["roots"][string] {
  return {
    books: totals.books,
    authors: totals.authors,
    series: totals.series,
    files: totals.files,
    bytes: totals.bytes,
    duration_seconds: totals.durationSeconds,
    missing: totals.missing,
    needs_review: totals.needsReview,
    last_scan: totals.lastScan,
  };
}

export function wireMemory(use: MemoryUse): StateBody<"memory"> {
  return {
    level: use.level,
    rss_bytes: use.rssBytes,
    heap_bytes: use.heapBytes,
    limit_bytes: use.limitBytes,
    actions: use.actions,
  };
}

/** The fields of a `set` command as the catalogue takes them: what was not given says nothing. */
export function fieldsFromWire(fields: CommandInput<"set">["fields"]): BookFields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as BookFields;
}
