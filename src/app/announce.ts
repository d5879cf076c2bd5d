import { wireEventBook, wireOperation } from "../bus/wire.ts";
import type { BookSummary } from "../domain/book.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import { isEnded, type Operation, type OperationState } from "../domain/operation.ts";
import type { BreakerState, SourceSnapshot } from "../domain/source.ts";

/** What a scan did to books, told as it is committed. */
export interface BookNews {
  readonly added: readonly BookSummary[];
  readonly changed: readonly BookSummary[];
  readonly missing: readonly BookSummary[];
  readonly needsReview: readonly BookSummary[];
}

type PublishEvent = (event: { readonly event_type: EventType } & Readonly<Record<string, unknown>>) => void;
type BookEventType = "book_added" | "book_changed" | "book_missing" | "needs_review";
type EventType =
  | BookEventType
  | "scan_started"
  | "scan_finished"
  | "organize_finished"
  | "organize_rolled_back"
  | "undo_finished"
  | "operation_failed"
  | "diagnostics_changed"
  | "breaker_opened"
  | "breaker_closed"
  | "memory_pressure";

/**
 * Of each kind, per operation: hubs keep every event in a database, and the first scan of a large library adds
 * tens of thousands of books. The summary in `scan_finished` has the exact counts.
 */
const maxBookEvents = 200;

export interface Announcer {
  /** To be told of every change in the queue. */
  operationChanged(operation: Operation, previous: OperationState | null): void;
  books(operationId: string, news: BookNews): void;
  bookChanged(book: Pick<BookSummary, "id" | "title" | "authors" | "rootId" | "path">): void;
  diagnosticsChanged(diagnostics: Diagnostics): void;
  memoryPressure(level: string): void;
  /** A source is no longer asked, or is asked again. */
  breakerChanged(snapshot: SourceSnapshot, before: BreakerState): void;
}

/**
 * Turns what happens inside into the events of the contract. `wasRolledBack`: whether an organize had begun to touch
 * files when it failed or was cancelled.
 */
export function createAnnouncer(
  publish: PublishEvent,
  wasRolledBack: (operationId: string) => boolean,
): Announcer {
  const told = new Map<string, Map<BookEventType, number>>();

  function tellBooks(operationId: string, type: BookEventType, books: readonly BookSummary[]): void {
    const counts = told.get(operationId) ?? new Map<BookEventType, number>();
    told.set(operationId, counts);
    const before = counts.get(type) ?? 0;
    counts.set(type, before + books.length);
    for (const book of books.slice(0, Math.max(0, maxBookEvents - before))) {
      publish({ event_type: type, operation_id: operationId, book: wireEventBook(book) });
    }
  }

  return {
    operationChanged: (operation, previous) => {
      if (operation.state === previous) return;
      const about = aboutOperation(operation);
      if (operation.kind === "scan" && operation.state === "running") {
        publish({ event_type: "scan_started", ...about });
      }
      if (!isEnded(operation.state)) return;
      told.delete(operation.id);
      const { id, kind, state, summary, error } = operation;
      if (kind === "scan") publish({ event_type: "scan_finished", ...about, summary, error });
      // One that followed a scan by itself and found nothing is no news.
      const isIdle = operation.input["auto"] === true && summary?.["books"] === 0;
      if (kind === "organize" && state === "completed" && !isIdle) {
        publish({ event_type: "organize_finished", ...about, summary });
      }
      if (kind === "organize" && state !== "completed" && wasRolledBack(id)) {
        publish({ event_type: "organize_rolled_back", ...about, error });
      }
      if (kind === "undo" && state === "completed") {
        publish({ event_type: "undo_finished", ...about, summary });
      }
      if (state === "failed") publish({ event_type: "operation_failed", ...about, error });
    },
    books: (operationId, news) => {
      tellBooks(operationId, "book_added", news.added);
      tellBooks(operationId, "book_changed", news.changed);
      tellBooks(operationId, "book_missing", news.missing);
      tellBooks(operationId, "needs_review", news.needsReview);
    },
    bookChanged: (book) => publish({ event_type: "book_changed", book: wireEventBook(book) }),
    diagnosticsChanged: ({ worst, checks }) =>
      publish({
        event_type: "diagnostics_changed",
        worst,
        checks: checks.filter((check) => check.severity !== "ok"),
      }),
    breakerChanged: ({ source, state, lastError, nextProbeAt }, before) => {
      if (state === before) return;
      const isShut = (of: BreakerState) => of === "closed";
      if (isShut(state)) publish({ event_type: "breaker_closed", source });
      // A try that fails opens it again: that is no news.
      else if (isShut(before)) {
        publish({
          event_type: "breaker_opened",
          source,
          state,
          last_error: lastError,
          next_probe_at: nextProbeAt,
        });
      }
    },
    memoryPressure: (level) => publish({ event_type: "memory_pressure", level }),
  };
}

function aboutOperation(operation: Operation): Readonly<Record<string, unknown>> {
  const { operation_id, kind, state, scope, scopes } = wireOperation(operation);
  return { operation_id, kind, state, scope, scopes };
}
