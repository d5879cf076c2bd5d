import type { Book, BookFields, BookSummary, Companion, Track } from "../domain/book.ts";
import type { LibraryTotals } from "../domain/catalogue.ts";
import type { MemoryUse } from "../domain/diagnostic.ts";
import { isEnded, type Operation } from "../domain/operation.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import type { ScanProgress } from "../domain/scan.ts";
import type { SourceSnapshot } from "../domain/source.ts";
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
    matches: (book.layers.match?.taken ?? []).map(({ source, id, score }) => ({ source, id, score })),
    candidates: (book.layers.match?.candidates ?? []).map(({ durationSeconds, ...candidate }) => ({
      ...candidate,
      duration_seconds: durationSeconds,
    })),
    history: wireOperations(history),
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
    error: operation.error ?? (operation.retryAt === null ? null : (operation.errors.at(-1) ?? null)),
    summary: isEnded(operation.state) ? operation.summary : null,
  };
}

/** As much as the operations of an answer may take with all that they say: a packet of 1 MiB ends the connection. */
const fullOperationsBytes = 256 * 1024;

/** The operations of one answer. Those that come late in a long one keep their counts and lose the lists beside them. */
export function wireOperations(operations: readonly Operation[]): readonly WireOperation[] {
  let bytes = 0;
  return operations.map((operation) => {
    const wire = wireOperation(operation);
    bytes += Buffer.byteLength(JSON.stringify(wire));
    return bytes <= fullOperationsBytes ? wire : withoutLists(wire);
  });
}

function withoutLists(operation: WireOperation): WireOperation {
  const { summary, error } = operation;
  const emptied = (record: Readonly<Record<string, unknown>> | null) =>
    record === null
      ? null
      : Object.fromEntries(
          Object.entries(record).map(([key, value]) => [key, Array.isArray(value) ? [] : value]),
        );
  return {
    ...operation,
    summary: emptied(summary),
    error: error === null ? null : { ...error, details: emptied(error.details) },
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

export function wireQueue(snapshot: QueueSnapshot): StateBody<"queue"> {
  const { queued, waiting, running, completed, failed, cancelled, interrupted } = snapshot.counts;
  return {
    state: snapshot.state,
    paused_kinds: snapshot.pausedKinds,
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
    waiting: snapshot.waiting.map(({ operationId, kind, scope, reason, retryAt, waitsFor }) => ({
      operation_id: operationId,
      kind,
      scope,
      reason,
      retry_at: retryAt,
      waits_for: waitsFor,
    })),
  };
}

export function wireBreaker(snapshot: SourceSnapshot): StateBody<"breaker"> {
  return {
    source: snapshot.source,
    state: snapshot.state,
    failures: snapshot.failures,
    opened_at: snapshot.openedAt,
    next_probe_at: snapshot.nextProbeAt,
    last_error: snapshot.lastError,
    calls: snapshot.calls,
    coalesced: snapshot.coalesced,
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
