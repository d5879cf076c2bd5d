import { expect, test } from "vitest";
import { bookShape, bookSummaryShape, operationShape } from "../../src/bus/payloads.ts";
import { type StateKey, stateTopics } from "../../src/bus/topics.ts";
import {
  fieldsFromWire,
  wireBook,
  wireBookSummary,
  wireEventBook,
  wireLibrary,
  wireMemory,
  wireOperation,
  wireOperations,
  wireQueue,
  wireScan,
} from "../../src/bus/wire.ts";
import type { Book, BookSummary } from "../../src/domain/book.ts";
import type { LibraryTotals } from "../../src/domain/catalogue.ts";
import { operation } from "./harness.ts";

const time = "2026-01-02T03:04:05.000Z";
const stamp = { ts: time, boot_id: "b", seq: 1 };

const summary: BookSummary = {
  id: "id-1",
  rootId: "books",
  path: "Author/Title",
  state: "present",
  title: "Title",
  subtitle: null,
  authors: ["Author"],
  narrators: ["Narrator"],
  series: [{ name: "Series", position: "1.5" }],
  year: 1999,
  publisher: null,
  language: "en",
  asin: null,
  isbn: null,
  durationSeconds: 3600.5,
  sizeBytes: 12,
  format: "m4b",
  trackCount: 1,
  chapterCount: 1,
  hasCover: true,
  addedAt: time,
  changedAt: time,
};

const { trackCount: _tracks, chapterCount: _chapters, hasCover: _cover, ...shared } = summary;
const book: Book = {
  ...shared,
  description: "About it",
  genres: ["Fantasy"],
  explicit: null,
  abridged: false,
  tracks: [
    {
      path: "Author/Title/01.mp3",
      title: "One",
      disc: 1,
      track: 1,
      durationSeconds: 60.5,
      sizeBytes: 1,
      mtimeMs: 5,
      format: "mp3",
    },
  ],
  chapters: [{ title: "One", startMs: 0, endMs: 60_500 }],
  companions: [{ path: "Author/Title/cover.jpg", kind: "image", sizeBytes: 7 }],
  cover: { kind: "file", path: "Author/Title/cover.jpg" },
  reason: "folder",
  reviewReason: null,
  layers: { tags: { title: "Title" } },
  provenance: { title: "tags" },
  fingerprint: "f",
};

const totals: LibraryTotals = {
  books: 1,
  authors: 2,
  series: 3,
  files: 4,
  bytes: 5,
  durationSeconds: 6.5,
  missing: 7,
  needsReview: 8,
  lastScan: time,
};

/** The keys of the contract, in no order. */
const keys = (text: string): readonly string[] => text.split(" ").sort();
const bookKeys =
  "id root_id path state title subtitle authors narrators series year publisher language asin isbn duration_seconds bytes format track_count chapter_count has_cover added_at changed_at";

test("a listed book has exactly the contract's keys", () => {
  const wire = wireBookSummary(summary);
  expect(Object.keys(wire).sort()).toEqual(keys(bookKeys));
  expect(bookSummaryShape.parse(wire)).toEqual(wire);
  expect(wire).toMatchObject({
    duration_seconds: 3600.5,
    bytes: 12,
    has_cover: true,
    series: [{ position: "1.5" }],
  });
});

test("a book whole adds its tracks, chapters, companions, provenance and history, and keeps no internals", () => {
  const wire = wireBook(book, [operation("op-1")]);
  expect(bookShape.parse(wire)).toEqual(wire);
  expect(Object.keys(wire)).toEqual(expect.arrayContaining([...keys(bookKeys)]));
  expect(wire).toMatchObject({
    track_count: 1,
    has_cover: true,
    tracks: [
      {
        path: "Author/Title/01.mp3",
        title: "One",
        disc: 1,
        track: 1,
        duration_seconds: 60.5,
        bytes: 1,
        format: "mp3",
      },
    ],
    chapters: [{ title: "One", start_ms: 0, end_ms: 60_500 }],
    companions: [{ path: "Author/Title/cover.jpg", kind: "image", bytes: 7 }],
    provenance: { title: "tags" },
    history: [{ operation_id: "op-1" }],
  });
  expect(Object.keys(wire.tracks[0] ?? {}).sort()).toEqual(
    keys("path title disc track duration_seconds bytes format"),
  );
  expect(JSON.stringify(wire)).not.toMatch(/[a-z][A-Z]\w*":/);
});

test("an operation has exactly the contract's keys, and its summary only when it has ended", () => {
  const wire = wireOperation(operation("op-1", { state: "running", percent: 12.5, summary: { books: 1 } }));
  expect(Object.keys(wire).sort()).toEqual(
    keys(
      "operation_id kind state priority scope scopes percent attempts created_at started_at finished_at transaction error summary",
    ),
  );
  expect(operationShape.parse(wire)).toEqual(wire);
  expect(wire).toMatchObject({ scope: "books:/", scopes: ["books:/"], percent: 12.5, summary: null });
  expect(wireOperation(operation("op-1", { state: "completed", summary: { books: 1 } })).summary).toEqual({
    books: 1,
  });
});

test("a page of operations fits a packet: those that come late keep their counts and lose the lists", () => {
  const conflicts = Array.from({ length: 100 }, (_, number) => ({
    path: `books:/${number}`,
    message: "x".repeat(500),
  }));
  const all = Array.from({ length: 200 }, (_, number) =>
    operation(`op-${number}`, {
      state: "failed",
      summary: { conflict_count: 100, conflicts },
      error: { code: "conflict", message: "refused", retryable: false, details: { conflicts } },
    }),
  );
  const wire = wireOperations(all);
  expect(Buffer.byteLength(JSON.stringify(wire))).toBeLessThan(512 * 1024);
  expect(wire).toHaveLength(200);
  expect(wire[0]).toEqual(wireOperation(all[0] ?? operation("none")));
  expect(wire[199]).toMatchObject({
    operation_id: "op-199",
    summary: { conflict_count: 100, conflicts: [] },
    error: { message: "refused", details: { conflicts: [] } },
  });
});

test.each<[StateKey, object, string]>([
  [
    "scan",
    wireScan({
      state: "reading",
      operationId: "op-1",
      rootId: "books",
      path: "Author/Title",
      dirsFound: 1,
      dirsDone: 2,
      filesFound: 3,
      filesDone: 4,
      booksFound: 5,
      percent: 12.5,
      etaSeconds: 40,
      resumedFrom: null,
      problems: 6,
    }),
    "state operation_id root_id path dirs_found dirs_done files_found files_done books_found percent eta_seconds resumed_from problems",
  ],
  [
    "queue",
    wireQueue({
      state: "running",
      pausedKinds: [],
      counts: { queued: 1, waiting: 2, running: 3, completed: 4, failed: 5, cancelled: 6, interrupted: 7 },
      byPriority: { low: 1, normal: 2, high: 3 },
      workers: { current: 2, min: 2, max: 4 },
      oldestWaitSeconds: 1.5,
      running: [{ operationId: "op-1", kind: "scan", scope: "books:/", percent: 1 }],
      waiting: [
        {
          operationId: "op-2",
          kind: "scan",
          scope: "books:/A",
          reason: "scope_busy",
          retryAt: null,
          waitsFor: [],
        },
      ],
    }),
    "state paused_kinds counts by_priority workers oldest_wait_seconds running waiting",
  ],
  [
    "library",
    wireLibrary({ ...totals, roots: { books: totals } }),
    "books authors series files bytes duration_seconds missing needs_review last_scan roots",
  ],
  [
    "memory",
    wireMemory({ level: "normal", rssBytes: 1, heapBytes: 2, limitBytes: 3, actions: 0 }),
    "level rss_bytes heap_bytes limit_bytes actions",
  ],
])("the state %s has exactly the contract's keys", (key, wire, expected) => {
  expect(Object.keys(wire).sort()).toEqual(keys(expected));
  expect(stateTopics[key].payload.parse({ ...wire, ...stamp })).toEqual({ ...wire, ...stamp });
});

test("a library's roots have the keys of the whole, but no roots", () => {
  const { roots, ...whole } = wireLibrary({ ...totals, roots: { books: totals } });
  expect(roots).toEqual({ books: whole });
});

test("the other states have exactly the contract's keys", () => {
  const keysOf = (key: StateKey): readonly string[] => Object.keys(stateTopics[key].payload.shape).sort();
  const stamped = (text: string): readonly string[] => keys(`${text} ts boot_id seq`);
  expect(keysOf("info")).toEqual(stamped("schema version node node_id plugins roots capabilities"));
  expect(keysOf("diagnostics")).toEqual(stamped("worst checks"));
  expect(keysOf("settings")).toEqual(
    stamped("scan_concurrency operation_concurrency organize_strategy log_level"),
  );
  expect(keysOf("health")).toEqual(
    stamped("uptime_seconds mqtt event_loop_delay_p99_ms queue worst_diagnostic"),
  );
});

test("a book in an event is its short form", () => {
  expect(wireEventBook(summary)).toEqual({
    id: "id-1",
    title: "Title",
    authors: ["Author"],
    root_id: "books",
    path: "Author/Title",
  });
});

test("a correction says nothing about what it does not name", () => {
  expect(fieldsFromWire({ title: "T", subtitle: null, authors: [], year: undefined })).toEqual({
    title: "T",
    subtitle: null,
    authors: [],
  });
});
