import { describe, expect, test } from "vitest";
import { createAnnouncer } from "../../src/app/announce.ts";
import type { BookSummary } from "../../src/domain/book.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { untroubled } from "../fixtures/operation.ts";

function announcing({ rolledBack = [] }: { readonly rolledBack?: readonly string[] } = {}) {
  const events: Readonly<Record<string, unknown>>[] = [];
  const announcer = createAnnouncer(
    (event) => events.push(event),
    (id) => rolledBack.includes(id),
  );
  return { events, announcer };
}

function book(number: number): BookSummary {
  return {
    id: `b${number}`,
    rootId: "books",
    path: `A/${number}`,
    state: "present",
    title: `T${number}`,
    subtitle: null,
    authors: ["A"],
    narrators: [],
    series: [],
    year: null,
    publisher: null,
    language: null,
    asin: null,
    isbn: null,
    durationSeconds: 1,
    sizeBytes: 1,
    format: "mp3",
    trackCount: 1,
    chapterCount: 1,
    hasCover: false,
    addedAt: "2026-01-01T00:00:00.000Z",
    changedAt: "2026-01-01T00:00:00.000Z",
  };
}

const scan: Operation = {
  id: "o1",
  kind: "scan",
  state: "running",
  priority: "normal",
  scopes: ["books:/"],
  input: {},
  transaction: null,
  ...untroubled,
  percent: null,
  attempts: 1,
  createdAt: "2026-01-01T00:00:00.000Z",
  startedAt: "2026-01-01T00:00:00.000Z",
  finishedAt: null,
  error: null,
  summary: null,
};

test("tells of a book with the keys of the contract", () => {
  const { events, announcer } = announcing();
  announcer.books("o1", { added: [book(1)], changed: [], missing: [], needsReview: [] });
  expect(events).toEqual([
    {
      event_type: "book_added",
      operation_id: "o1",
      book: { id: "b1", title: "T1", authors: ["A"], root_id: "books", path: "A/1" },
    },
  ]);
});

test("stops at 200 events of a kind per operation, over all its commits", () => {
  const { events, announcer } = announcing();
  const books = Array.from({ length: 150 }, (_, number) => book(number));
  const none = { changed: [], missing: [], needsReview: [] };
  announcer.books("o1", { added: books, ...none });
  announcer.books("o1", { added: books, ...none });
  announcer.books("o1", { added: [], ...none, missing: [book(1)] });
  announcer.books("o2", { added: [book(1)], ...none });
  expect(events.map((event) => event["event_type"])).toEqual([
    ...Array(200).fill("book_added"),
    "book_missing",
    "book_added",
  ]);
});

test("tells that a scan started and how it ended, once each", () => {
  const { events, announcer } = announcing();
  announcer.operationChanged(scan, "queued");
  announcer.operationChanged({ ...scan, percent: 50 }, "running");
  const error = { code: "internal", message: "the disk is gone", retryable: true, details: null } as const;
  announcer.operationChanged({ ...scan, state: "failed", error }, "running");
  expect(events.map((event) => event["event_type"])).toEqual([
    "scan_started",
    "scan_finished",
    "operation_failed",
  ]);
  expect(events[2]).toMatchObject({ operation_id: "o1", kind: "scan", error });
});

describe("an organize", () => {
  const organize: Operation = { ...scan, id: "o2", kind: "organize" };
  const summary = { books: 1, files: 2, bytes: 3 };
  const error = { code: "conflict", message: "taken", retryable: false, details: null } as const;
  const types = (events: readonly Readonly<Record<string, unknown>>[]) =>
    events.map((event) => event["event_type"]);

  test("that ended well is told with its summary", () => {
    const { events, announcer } = announcing();
    announcer.operationChanged(organize, "queued");
    announcer.operationChanged({ ...organize, state: "completed", summary }, "running");
    expect(events).toEqual([
      {
        event_type: "organize_finished",
        operation_id: "o2",
        kind: "organize",
        state: "completed",
        scope: "books:/",
        scopes: ["books:/"],
        summary,
      },
    ]);
  });

  test("that failed or was cancelled after it had begun was rolled back, and says why", () => {
    const { events, announcer } = announcing({ rolledBack: ["o2"] });
    announcer.operationChanged({ ...organize, state: "failed", error }, "running");
    const cancelled = { ...error, code: "cancelled" } as const;
    announcer.operationChanged({ ...organize, state: "cancelled", error: cancelled }, "running");
    expect(types(events)).toEqual(["organize_rolled_back", "operation_failed", "organize_rolled_back"]);
    expect(events[0]).toMatchObject({ operation_id: "o2", state: "failed", error });
    expect(events[2]).toMatchObject({ state: "cancelled", error: cancelled });
  });

  test("that failed or was cancelled before it touched a file rolled nothing back", () => {
    const { events, announcer } = announcing();
    announcer.operationChanged({ ...organize, state: "failed", error }, "running");
    announcer.operationChanged({ ...organize, state: "cancelled", error }, "queued");
    expect(types(events)).toEqual(["operation_failed"]);
  });

  test("that is interrupted says nothing: it goes on at the next start", () => {
    const { events, announcer } = announcing({ rolledBack: ["o2"] });
    announcer.operationChanged({ ...organize, state: "interrupted" }, "running");
    expect(events).toEqual([]);
  });

  test("tells of at most 200 books that it moved", () => {
    const { events, announcer } = announcing();
    const changed = Array.from({ length: 300 }, (_, number) => book(number));
    announcer.books("o2", { added: [], changed, missing: [], needsReview: [] });
    expect(types(events)).toEqual(Array(200).fill("book_changed"));
  });

  test("that was undone is told with the summary, and an undo that refuses as a failure", () => {
    const { events, announcer } = announcing();
    const undo: Operation = { ...scan, id: "o3", kind: "undo" };
    announcer.operationChanged({ ...undo, state: "completed", summary }, "running");
    announcer.operationChanged({ ...undo, state: "failed", error }, "running");
    expect(types(events)).toEqual(["undo_finished", "operation_failed"]);
    expect(events[0]).toMatchObject({ operation_id: "o3", kind: "undo", summary });
  });
});
