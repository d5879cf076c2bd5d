import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../errors.ts";

/** `migrations[n]` makes version n + 1 from version n; a released one is never changed. */
const migrations: readonly string[] = [
  `
  CREATE TABLE units (
    number INTEGER PRIMARY KEY,
    root_id TEXT NOT NULL,
    path_key BLOB NOT NULL,
    path TEXT NOT NULL,
    signature TEXT NOT NULL,
    book_count INTEGER NOT NULL,
    UNIQUE (root_id, path_key)
  ) STRICT;
  CREATE TABLE unit_entries (unit INTEGER PRIMARY KEY, entries TEXT NOT NULL) STRICT;

  -- What is sorted and filtered by; small, so that many rows lie on a page.
  CREATE TABLE books (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    root_id TEXT NOT NULL,
    path TEXT NOT NULL,
    unit_path TEXT NOT NULL,
    state INTEGER NOT NULL,
    missing_by TEXT,
    fingerprint TEXT NOT NULL,
    fingerprint_key INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    title_key TEXT NOT NULL,
    author_key TEXT NOT NULL,
    series_key TEXT NOT NULL,
    position_key TEXT NOT NULL,
    added_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    file_count INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX books_by_unit ON books (root_id, unit_path);
  CREATE INDEX books_by_fingerprint ON books (fingerprint_key);
  CREATE INDEX books_not_present ON books (state) WHERE state <> 0;
  CREATE INDEX books_by_missing ON books (missing_by) WHERE missing_by IS NOT NULL;
  -- One per order of a query, ties in the order of adding. With the state and the root in them a page is found
  -- without touching the table.
  CREATE INDEX books_by_title ON books (title_key, number, state, root_id);
  CREATE INDEX books_by_author ON books (author_key, title_key, number, state, root_id);
  CREATE INDEX books_by_series ON books (series_key, position_key, title_key, number, state, root_id);
  CREATE INDEX books_by_added ON books (added_at, title_key, number, state, root_id);
  CREATE INDEX books_by_duration ON books (duration_ms, title_key, number, state, root_id);

  -- What is shown. The summary stands first: a list reads no further.
  CREATE TABLE book_documents (
    book INTEGER PRIMARY KEY,
    summary TEXT NOT NULL,
    review_reason TEXT,
    match_layer TEXT,
    user_layer TEXT,
    mtimes TEXT NOT NULL,
    content TEXT NOT NULL
  ) STRICT;

  -- Names as they are compared: of people (kind 0 author, 1 narrator) and series (kind 2).
  CREATE TABLE names (number INTEGER PRIMARY KEY, name_key TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE book_names (
    kind INTEGER NOT NULL,
    name INTEGER NOT NULL,
    book INTEGER NOT NULL,
    PRIMARY KEY (kind, name, book)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX book_names_by_book ON book_names (book);

  -- The text comes folded and cut into words; 'ascii' ends a word only where we did.
  CREATE VIRTUAL TABLE book_text USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii', prefix = '1 2 3'
  );

  -- Kept up with every commit, so that totals cost the same for any number of books.
  CREATE TABLE root_totals (
    root_id TEXT PRIMARY KEY,
    books INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    missing INTEGER NOT NULL,
    needs_review INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE name_totals (
    kind INTEGER NOT NULL,
    root_id TEXT NOT NULL,
    name INTEGER NOT NULL,
    books INTEGER NOT NULL,
    PRIMARY KEY (kind, root_id, name)
  ) STRICT, WITHOUT ROWID;
  -- Which operations added or changed a book, or found it missing, and how many.
  CREATE TABLE operations (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    added INTEGER NOT NULL DEFAULT 0,
    changed INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE book_history (
    book INTEGER NOT NULL,
    operation INTEGER NOT NULL,
    PRIMARY KEY (book, operation)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE scans (root_id TEXT PRIMARY KEY, ended_at TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  -- How many files an operation read to find out.
  ALTER TABLE operations ADD COLUMN files_read INTEGER NOT NULL DEFAULT 0;
  -- Files that a book was copied or linked from: where it came from, and no second book while they are as they were.
  CREATE TABLE origins (
    root_id TEXT NOT NULL,
    unit_path TEXT NOT NULL,
    name TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ms REAL NOT NULL,
    PRIMARY KEY (root_id, unit_path, name)
  ) STRICT, WITHOUT ROWID;
  -- What was recorded of every organized file, to be compared with what the disk holds later.
  CREATE TABLE placed_files (
    root_id TEXT NOT NULL,
    path TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ms REAL NOT NULL,
    book_id TEXT NOT NULL,
    operation_id TEXT NOT NULL,
    -- When it was found to hold something else although nobody had written to it.
    rotten_at TEXT,
    PRIMARY KEY (root_id, path)
  ) STRICT, WITHOUT ROWID;
  -- Where a verify that was interrupted goes on.
  CREATE TABLE verify_positions (operation_id TEXT PRIMARY KEY, position TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE INDEX placed_files_rotten ON placed_files (rotten_at) WHERE rotten_at IS NOT NULL;
  `,
];

/**
 * Opens the catalogue's database and brings its schema up to date, each step in a transaction. Throws
 * `store_damaged` where the file is no sound database and `store_newer` where a newer program wrote it; the
 * file stays as it was.
 */
export function openDatabase(file: string): DatabaseSync {
  const isNew = !existsSync(file);
  const database = new DatabaseSync(file, { timeout: 1000, enableForeignKeyConstraints: false });
  try {
    // One process has the folder, so WAL's index needs no shared memory: that would be a file more to find space
    // for, and is what WAL lacks on network file systems. It must be said before the first read.
    database.exec("PRAGMA locking_mode = EXCLUSIVE");
    const version = readVersion(database, file);
    if (version > migrations.length) {
      throw new AppError(
        "store_newer",
        `${file} was written by a newer version (schema ${version}, this program knows ${migrations.length})`,
      );
    }
    if (version === 0 && !isNew) refuseForeign(database, file);
    // Commits do not wait for the disk: `flush` makes them durable, off the main thread.
    database.exec(`
      PRAGMA page_size = 8192;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      PRAGMA cache_size = -8000;
      PRAGMA temp_store = MEMORY;
      PRAGMA wal_autocheckpoint = 2000;
    `);
    for (const [index, migration] of migrations.entries()) {
      if (index >= version) migrate(database, migration, index + 1);
    }
    return database;
  } catch (error) {
    database.close();
    throw databaseError(error, file);
  }
}

function readVersion(database: DatabaseSync, file: string): number {
  const version = database.prepare("PRAGMA user_version").get()?.["user_version"];
  if (typeof version === "number") return version;
  throw new AppError("store_damaged", `${file} has no schema version`);
}

function refuseForeign(database: DatabaseSync, file: string): void {
  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.["count"];
  if (tables !== 0) throw new AppError("store_damaged", `${file} is a database of another program`);
}

function migrate(database: DatabaseSync, migration: string, version: number): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    database.exec(migration);
    database.exec(`PRAGMA user_version = ${version}`);
    database.exec("COMMIT");
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

/** SQLite's result codes (sqlite.org/rescode.html), the primary ones. */
const corrupt = 11;
const notADatabase = 26;
const cannotWrite: ReadonlySet<number> = new Set([8, 10, 13, 14]);

/** Says in the project's terms what SQLite's error means; other errors are handed back as they are. */
export function databaseError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return error;
  const code = error.errcode & 0xff;
  if (code === corrupt || code === notADatabase) {
    return new AppError("store_damaged", `${file} is damaged: ${error.message}`, { cause: error });
  }
  if (cannotWrite.has(code)) {
    const message = `${file} cannot be written: ${error.message}. Free space or repair the disk.`;
    return new AppError("read_only", message, { cause: error, retryable: true });
  }
  return error;
}
