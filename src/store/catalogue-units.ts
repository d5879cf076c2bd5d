import type { DatabaseSync } from "node:sqlite";
import type { KnownBook, StoredUnit, UnitEntry } from "../domain/catalogue.ts";
import { pathSortKey } from "../domain/order.ts";
import type { FileEntry } from "../domain/scan.ts";
import { unpackEntries } from "./catalogue-entries.ts";
import { fingerprintKey, integer, ownState, type Row, stateNumber, text } from "./catalogue-rows.ts";

/** What a scan looks up before it decides what to read. */
export interface UnitReader {
  unitsAfter(rootId: string, after: string | null, limit: number): readonly StoredUnit[];
  unitEntries(rootId: string, path: string): readonly UnitEntry[] | null;
  unitBooks(rootId: string, path: string): readonly KnownBook[];
  booksByFingerprint(rootId: string, fingerprint: string): readonly KnownBook[];
  originsOf(rootId: string, unitPath: string): readonly FileEntry[];
  booksOfRoot(rootId: string, after: string | null, limit: number): readonly string[];
  hasOtherBooks(rootId: string, folder: string, except: ReadonlySet<string>): boolean;
  unitCount(): number;
  knownBooks(rootId: string): number;
}

export function prepareUnitReader(database: DatabaseSync): UnitReader {
  const columns = "path, signature, book_count";
  const first = database.prepare(`SELECT ${columns} FROM units WHERE root_id = ? ORDER BY path_key LIMIT ?`);
  const following = database.prepare(
    `SELECT ${columns} FROM units WHERE root_id = ? AND path_key > ? ORDER BY path_key LIMIT ?`,
  );
  const entries = database.prepare(
    "SELECT entries FROM unit_entries JOIN units ON unit = number WHERE root_id = ? AND path_key = ?",
  );
  const known = "SELECT id, path, unit_path, state, fingerprint FROM books";
  const ofUnit = database.prepare(`${known} WHERE root_id = ? AND unit_path = ? ORDER BY path, id`);
  const alike = database.prepare(
    `${known} WHERE root_id = ? AND fingerprint_key = ? AND fingerprint = ? ORDER BY path, id`,
  );
  const books = database.prepare("SELECT books FROM root_totals WHERE root_id = ?");
  const origins = database.prepare(
    "SELECT name, size_bytes, mtime_ms FROM origins WHERE root_id = ? AND unit_path = ?",
  );
  const present = `state <> ${stateNumber("missing")}`;
  // By the index of ids, which the plus asks for: by that of roots every page would sort all books of the root.
  const ofRoot = database.prepare(
    `SELECT id FROM books WHERE +root_id = ? AND ${present} AND id > ? ORDER BY id LIMIT ?`,
  );
  const inFolder = database.prepare(
    `SELECT id FROM books WHERE root_id = ? AND unit_path = ? AND ${present}`,
  );
  const count = database.prepare("SELECT count(*) AS units FROM units");
  return {
    knownBooks: (rootId) => integer(books.get(rootId) ?? { books: 0 }, "books"),
    unitCount: () => integer(count.get() ?? {}, "units"),
    originsOf: (rootId, unitPath) =>
      origins.all(rootId, unitPath).map((row) => ({
        name: text(row, "name"),
        sizeBytes: integer(row, "size_bytes"),
        mtimeMs: integer(row, "mtime_ms"),
      })),
    booksOfRoot: (rootId, after, limit) =>
      ofRoot.all(rootId, after ?? "", limit).map((row) => text(row, "id")),
    hasOtherBooks: (rootId, folder, except) =>
      inFolder.all(rootId, folder).some((row) => !except.has(text(row, "id"))),
    unitsAfter: (rootId, after, limit) => {
      const rows =
        after === null ? first.all(rootId, limit) : following.all(rootId, pathSortKey(after), limit);
      return rows.map(unitOf);
    },
    unitEntries: (rootId, path) => {
      const row = entries.get(rootId, pathSortKey(path));
      return row === undefined ? null : unpackEntries(text(row, "entries"));
    },
    unitBooks: (rootId, path) => ofUnit.all(rootId, path).map(knownBookOf),
    booksByFingerprint: (rootId, fingerprint) =>
      alike.all(rootId, fingerprintKey(fingerprint), fingerprint).map(knownBookOf),
  };
}

function unitOf(row: Row): StoredUnit {
  return {
    path: text(row, "path"),
    signature: text(row, "signature"),
    bookCount: integer(row, "book_count"),
  };
}

function knownBookOf(row: Row): KnownBook {
  return {
    id: text(row, "id"),
    path: text(row, "path"),
    unitPath: text(row, "unit_path"),
    state: ownState(row),
    fingerprint: text(row, "fingerprint"),
  };
}
