import { expect, test } from "vitest";
import { batchShape, planShape } from "../../src/bus/organize-payloads.ts";
import { ownLevels, stateTopics } from "../../src/bus/topics.ts";
import { wireBatch, wireOrganize, wirePlan } from "../../src/bus/wire-organize.ts";
import type { BatchRecord } from "../../src/domain/journal.ts";
import type { BookMove, OrganizeProgress, Plan } from "../../src/domain/organize.ts";

const time = "2026-01-02T03:04:05.000Z";
const stamp = { ts: time, boot_id: "b", seq: 1 };
/** What an answer may weigh: a packet of 1 MiB ends the connection. */
const answerBytes = 256 * 1024;

const keys = (text: string): readonly string[] => text.split(" ").sort();

const progress: OrganizeProgress = {
  state: "placing",
  operationId: "op-1",
  booksTotal: 2,
  booksDone: 1,
  filesTotal: 9,
  filesDone: 4,
  bytesTotal: 100,
  bytesDone: 50,
  percent: 50.5,
  conflicts: 1,
};

const batch: BatchRecord = {
  operationId: "op-1",
  kind: "organize",
  undoes: null,
  state: "ended",
  undoneBy: null,
  books: 2,
  files: 9,
  bytes: 100,
  startedAt: time,
  finishedAt: time,
  summary: { books: 2, strategy: { hardlink: 7, copy: 2 } },
  journalBytes: 10,
  hasTrash: false,
};

function bookMove(number: number, files: number, name: (file: number) => string): BookMove {
  const bookId = `b${number}`;
  const from = { rootId: "inbox", path: bookId, unitPath: bookId };
  return {
    bookId,
    title: bookId,
    from,
    to: { rootId: "books", path: bookId, unitPath: bookId },
    strategy: "auto",
    moves: Array.from({ length: files }, (_, file) => ({
      bookId,
      role: "track",
      from: { rootId: "inbox", path: name(file) },
      to: { rootId: "books", path: `Author/${name(file)}` },
      sizeBytes: 7,
      removesSource: false,
    })),
  };
}

function planOf(changes: Partial<Plan> = {}): Plan {
  return { books: [], conflicts: [], skipped: [], bytesNeeded: 0, bytesFree: 1, ...changes };
}

test("the state organize has exactly the contract's keys, with and without a last batch", () => {
  const expected = keys(
    "state operation_id books_total books_done files_total files_done bytes_total bytes_done percent last_batch conflicts",
  );
  const last = { operationId: "op-0", finishedAt: time, books: 2, files: 9, undoableUntil: time };
  for (const wire of [wireOrganize(progress, null), wireOrganize(progress, last)]) {
    expect(Object.keys(wire).sort()).toEqual(expected);
    expect(stateTopics.organize.payload.parse({ ...wire, ...stamp })).toEqual({ ...wire, ...stamp });
  }
  expect(wireOrganize(progress, last)).toEqual({
    state: "placing",
    operation_id: "op-1",
    books_total: 2,
    books_done: 1,
    files_total: 9,
    files_done: 4,
    bytes_total: 100,
    bytes_done: 50,
    percent: 50.5,
    last_batch: { operation_id: "op-0", finished_at: time, books: 2, files: 9, undoable_until: time },
    conflicts: 1,
  });
});

test("a change of state, of operation or of what can be undone goes out at once, counts do not", () => {
  const { pace } = stateTopics.organize;
  if (pace.kind !== "each_second") throw new Error("it has no pace");
  const last = { operationId: "op-0", finishedAt: time, books: 2, files: 9, undoableUntil: time };
  const urgent = (changes: Partial<OrganizeProgress>, undoableUntil: string | null = time) =>
    pace.urgent(wireOrganize({ ...progress, ...changes }, { ...last, undoableUntil }));
  expect(urgent({ filesDone: 5, bytesDone: 60, percent: 60 })).toBe(urgent({}));
  expect(urgent({ state: "committing" })).not.toBe(urgent({}));
  expect(urgent({ operationId: "op-2" })).not.toBe(urgent({}));
  expect(urgent({}, null)).not.toBe(urgent({}));
});

test("nobody's response topic may be the organize topic", () => {
  expect(ownLevels.has("organize")).toBe(true);
});

test("a plan has exactly the contract's keys, and says what was left alone", () => {
  const conflict = {
    bookId: "b2",
    path: { rootId: "books", path: "Author/01.mp3" },
    code: "same_destination",
    with: "b3",
    message: "both would be there",
  } as const;
  const wire = wirePlan(
    planOf({
      books: [bookMove(1, 1, () => "a.mp3")],
      conflicts: [conflict],
      skipped: [{ bookId: "b4", reason: "it needs review" }],
      bytesNeeded: 10,
      bytesFree: 20,
    }),
  );
  expect(planShape.parse(wire)).toEqual(wire);
  expect(wire).toEqual({
    moves: [{ book: "b1", from: "inbox:/a.mp3", to: "books:/Author/a.mp3", strategy: "auto", bytes: 7 }],
    move_count: 1,
    conflicts: [
      {
        book: "b2",
        path: "books:/Author/01.mp3",
        code: "same_destination",
        with: "b3",
        message: "both would be there",
      },
    ],
    conflict_count: 1,
    skipped: [{ book: "b4", reason: "it needs review" }],
    skipped_count: 1,
    bytes_needed: 10,
    bytes_free: 20,
  });
});

test("a plan of any size lists the first of everything, with exact counts", () => {
  const books = Array.from({ length: 300 }, (_, number) =>
    bookMove(number, 3, (file) => `${number}/${file}`),
  );
  const conflicts = books.map(({ bookId, to }) => ({
    bookId,
    path: to,
    code: "destination_taken" as const,
    with: null,
    message: "something lies there",
  }));
  const skipped = books.map(({ bookId }) => ({ bookId, reason: "it is where it belongs" }));
  const wire = wirePlan(planOf({ books, conflicts, skipped }));
  expect(wire.moves).toHaveLength(500);
  expect(wire.moves[499]).toMatchObject({ book: "b166", from: "inbox:/166/1" });
  expect(wire.conflicts).toHaveLength(100);
  expect(wire.skipped).toHaveLength(100);
  expect(wire).toMatchObject({ move_count: 900, conflict_count: 300, skipped_count: 300 });
});

test("a plan whose names are as long as names can be still fits an answer", () => {
  const long = (file: number) => `${"\u0001".repeat(200)}/${"長".repeat(1200)}/${file}`;
  const books = Array.from({ length: 50 }, (_, number) => bookMove(number, 20, long));
  const conflicts = books.map(({ bookId }) => ({
    bookId,
    path: { rootId: "books", path: long(1) },
    code: "destination_taken" as const,
    with: long(2),
    message: long(3),
  }));
  const skipped = books.map(({ bookId }) => ({ bookId, reason: long(4) }));
  const wire = wirePlan(planOf({ books, conflicts, skipped }));
  expect(Buffer.byteLength(JSON.stringify(wire))).toBeLessThan(answerBytes);
  expect(wire.moves.length).toBeGreaterThan(5);
  expect(wire).toMatchObject({ move_count: 1000, conflict_count: 50, skipped_count: 50 });
});

test("a batch of the history has exactly its keys, without moves in a list", () => {
  const wire = wireBatch(batch, time);
  expect(batchShape.parse(wire)).toEqual(wire);
  expect(wire).toEqual({
    operation_id: "op-1",
    kind: "organize",
    state: "ended",
    started_at: time,
    finished_at: time,
    books: 2,
    files: 9,
    bytes: 100,
    strategy: { hardlink: 7, copy: 2 },
    undoes: null,
    undone_by: null,
    undoable_until: time,
  });
});

test("a batch that was asked for says from where to where, bounded, with the exact count", () => {
  const moves = bookMove(1, 700, (file) => `${file}.mp3`).moves;
  const wire = wireBatch({ ...batch, summary: null }, null, moves);
  expect(batchShape.parse(wire)).toEqual(wire);
  expect(wire.moves?.[0]).toEqual({ from: "inbox:/0.mp3", to: "books:/Author/0.mp3" });
  expect(wire.moves).toHaveLength(500);
  expect(wire).toMatchObject({ move_count: 700, strategy: {}, undoable_until: null });
});
