import { hash, randomUUID } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { BookDraft, BookSummary } from "../domain/book.ts";
import type { CommitOutcome, UnitBook, UnitChange } from "../domain/catalogue.ts";
import { composeFields, reviewReasonOf } from "../domain/compose.ts";
import { pathSortKey } from "../domain/order.ts";
import {
  integer,
  type KeptLayers,
  keptLayers,
  kinds,
  measure,
  type OwnState,
  ownState,
  type Row,
  type StoredContent,
  stateNumber,
  storedContent,
  storedSummary,
  text,
  textOrNull,
  titleOf,
  withKept,
} from "./catalogue-rows.ts";
import { type BookWeight, prepareTotals, TotalsDelta } from "./catalogue-totals.ts";
import { indexedText } from "./search-text.ts";
import { nameKey, positionKey } from "./sort-keys.ts";

/** A book's content on its way into the tables, whoever wrote it: a scan or a person. */
interface BookContent {
  readonly id: string;
  readonly rootId: string;
  readonly path: string;
  readonly unitPath: string;
  readonly fingerprint: string;
  readonly contentHash: string;
  readonly addedAt: string;
  readonly changedAt: string;
  readonly content: StoredContent;
  readonly contentJson: string;
  readonly mtimes: string;
  readonly kept: KeptLayers;
  /** What the scan found; it holds where nobody but the scan said anything about the book. */
  readonly draftReviewReason: string | null | undefined;
  /** A missing book stays missing when a person corrects it. */
  readonly isMissing: boolean;
  readonly missingBy: string | null;
}

interface Outcome {
  readonly added: BookSummary[];
  readonly changed: BookSummary[];
  readonly needsReview: BookSummary[];
}

/**
 * Everything that changes books. All statements are prepared once; each public method is one transaction and
 * leaves the totals and the full-text index in step with the books.
 */
export class CatalogueWriter {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #totals = new TotalsDelta();
  readonly #totalsStatements;
  readonly #now: () => Date;

  constructor(database: DatabaseSync, now: () => Date) {
    this.#database = database;
    this.#statements = prepare(database);
    this.#totalsStatements = prepareTotals(database);
    this.#now = now;
  }

  /**
   * Applies a scan's changes. All units are written before anything is called missing, so it does not matter in
   * which order a book leaves one unit and enters another.
   */
  commit(operationId: string, changes: readonly UnitChange[]): CommitOutcome & { readonly touched: boolean } {
    return this.#transaction(() => {
      const outcome: Outcome = { added: [], changed: [], needsReview: [] };
      const at = this.#now().toISOString();
      const last = new Map(changes.map((change) => [`${change.rootId}:${change.path}`, change]));
      const namesNumbers = new Map<string, number>();
      const written = new Set<string>();
      for (const change of last.values()) {
        if (change.kind === "vanished") this.#removeUnit(change.rootId, change.path);
        else this.#writeUnit(change, at, written, namesNumbers, outcome);
      }
      let touched = written.size > 0;
      for (const change of last.values()) {
        for (const row of this.#statements.booksOfUnit.all(change.rootId, change.path)) {
          if (written.has(text(row, "id")) || ownState(row) === "missing") continue;
          this.#markMissing(row, operationId);
          touched = true;
        }
      }
      return { ...outcome, touched };
    });
  }

  /**
   * Writes a book's layer of its user, and with it all that depends on it. False where there is no such book.
   */
  setUserLayer(id: string, change: (user: KeptLayers["user"]) => KeptLayers["user"]): boolean {
    return this.#transaction(() => {
      const row = this.#statements.wholeBook.get(id);
      if (row === undefined) return false;
      const kept = keptLayers(row);
      const user = change(kept.user);
      const contentJson = text(row, "content");
      const content: StoredContent = JSON.parse(contentJson);
      this.#put(
        {
          id,
          rootId: text(row, "root_id"),
          path: text(row, "path"),
          unitPath: text(row, "unit_path"),
          fingerprint: text(row, "fingerprint"),
          contentHash: text(row, "content_hash"),
          addedAt: text(row, "added_at"),
          changedAt: this.#now().toISOString(),
          content,
          contentJson,
          mtimes: text(row, "mtimes"),
          kept: { ...kept, user },
          draftReviewReason: undefined,
          isMissing: ownState(row) === "missing",
          missingBy: textOrNull(row, "missing_by"),
        },
        row,
        new Map(),
      );
      return true;
    });
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#totals.write(this.#totalsStatements);
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#totals.clear();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #removeUnit(rootId: string, path: string): void {
    const key = pathSortKey(path);
    this.#statements.removeEntries.run(rootId, key);
    this.#statements.removeUnit.run(rootId, key);
  }

  #writeUnit(
    change: Extract<UnitChange, { kind: "write" }>,
    at: string,
    written: Set<string>,
    names: Map<string, number>,
    outcome: Outcome,
  ): void {
    const { rootId, path, signature, entries, books } = change;
    const unit = this.#statements.putUnit.get(rootId, pathSortKey(path), path, signature, books.length);
    this.#statements.putEntries.run(
      unit === undefined ? null : integer(unit, "number"),
      JSON.stringify(entries),
    );
    for (const book of books) {
      const id = book.id ?? randomUUID();
      written.add(id);
      this.#writeBook({ ...book, id }, path, at, names, outcome);
    }
  }

  #writeBook(
    book: UnitBook & { readonly id: string },
    unitPath: string,
    at: string,
    names: Map<string, number>,
    outcome: Outcome,
  ): void {
    const { id, draft } = book;
    const before = book.id === null ? undefined : this.#statements.bookWithLayers.get(id);
    const { content, mtimes } = storedContent(draft);
    const contentJson = JSON.stringify(content);
    const contentHash = hashOf(draft, contentJson);
    const isSame = before !== undefined && text(before, "content_hash") === contentHash;
    if (isSame && ownState(before) !== "missing") {
      const number = integer(before, "number");
      if (text(before, "mtimes") !== mtimes) this.#statements.putMtimes.run(mtimes, number);
      if (text(before, "unit_path") !== unitPath) this.#statements.putUnitPath.run(unitPath, number);
      return;
    }
    const kept = before === undefined ? { match: null, user: null } : keptLayers(before);
    const summary = this.#put(
      {
        id,
        rootId: draft.rootId,
        path: draft.path,
        unitPath,
        fingerprint: draft.fingerprint,
        contentHash,
        addedAt: before === undefined ? at : text(before, "added_at"),
        changedAt: isSame ? text(before, "changed_at") : at,
        content,
        contentJson,
        mtimes,
        kept,
        draftReviewReason: draft.reviewReason,
        isMissing: false,
        missingBy: null,
      },
      before,
      names,
    );
    if (before === undefined) outcome.added.push(summary);
    else outcome.changed.push(summary);
    const wasInReview = before !== undefined && ownState(before) === "needs_review";
    if (summary.state === "needs_review" && !wasInReview) outcome.needsReview.push(summary);
  }

  #put(book: BookContent, before: Row | undefined, names: Map<string, number>): BookSummary {
    const { content, kept } = book;
    const { fields, provenance } = composeFields(withKept(content.layers, kept));
    const isScanAlone = kept.match === null && kept.user === null;
    const reviewReason =
      isScanAlone && book.draftReviewReason !== undefined
        ? book.draftReviewReason
        : reviewReasonOf(fields, provenance, content.titleIsBareName);
    const state: OwnState = book.isMissing ? "missing" : reviewReason === null ? "present" : "needs_review";
    const title = titleOf(fields, book.rootId, book.path);
    const measures = measure(content.tracks);
    const stored = storedSummary(fields, title, content, measures);
    const weightBefore = before === undefined ? null : this.#weightOf(before);
    const series = fields.series[0];
    const number = integer(
      this.#statements.putBook.get(
        book.id,
        book.rootId,
        book.path,
        book.unitPath,
        stateNumber(state),
        book.missingBy,
        book.fingerprint,
        book.contentHash,
        nameKey(title),
        nameKey(fields.authors[0]),
        nameKey(series?.name),
        positionKey(series?.position),
        book.addedAt,
        book.changedAt,
        measures.durationMs,
        measures.sizeBytes,
        content.tracks.length,
      ) ?? {},
      "number",
    );
    const summaryJson = JSON.stringify(stored);
    const { match, user } = kept;
    this.#statements.putDocument.run(
      number,
      summaryJson,
      reviewReason,
      match === null ? null : JSON.stringify(match),
      user === null ? null : JSON.stringify(user),
      book.mtimes,
      book.contentJson,
    );
    if (before !== undefined) {
      this.#statements.removeNames.run(number);
      this.#statements.removeText.run(number);
    }
    const seriesNames = fields.series.map((each) => each.name);
    const weight: BookWeight = {
      rootId: book.rootId,
      state,
      fileCount: content.tracks.length,
      sizeBytes: measures.sizeBytes,
      durationMs: measures.durationMs,
      authors: this.#putNames(kinds.author, fields.authors, number, names),
      series: this.#putNames(kinds.series, seriesNames, number, names),
    };
    this.#putNames(kinds.narrator, fields.narrators, number, names);
    this.#totals.replace(weightBefore, weight);
    const searchable = [title, fields.subtitle, ...fields.authors, ...fields.narrators, ...seriesNames];
    this.#statements.putText.run(number, indexedText([...searchable, fields.asin, fields.isbn]));
    return {
      id: book.id,
      rootId: book.rootId,
      path: book.path,
      state,
      ...stored,
      addedAt: book.addedAt,
      changedAt: book.changedAt,
    };
  }

  #putNames(
    kind: number,
    names: readonly string[],
    book: number,
    known: Map<string, number>,
  ): readonly number[] {
    const numbers: number[] = [];
    for (const name of names) {
      const key = nameKey(name);
      let number = known.get(key);
      if (number === undefined) {
        const row = this.#statements.findName.get(key) ?? this.#statements.addName.get(key);
        number = integer(row ?? {}, "number");
        known.set(key, number);
      }
      numbers.push(number);
      this.#statements.addBookName.run(kind, number, book);
    }
    return numbers;
  }

  #markMissing(row: Row, operationId: string): void {
    const before = this.#weightOf(row);
    this.#statements.markMissing.run(stateNumber("missing"), operationId, integer(row, "number"));
    this.#totals.replace(before, { ...before, state: "missing" });
  }

  #weightOf(row: Row): BookWeight {
    const names = this.#statements.namesOf.all(integer(row, "number"));
    const ofKind = (kind: number): readonly number[] =>
      names.filter((name) => name["kind"] === kind).map((name) => integer(name, "name"));
    return {
      rootId: text(row, "root_id"),
      state: ownState(row),
      fileCount: integer(row, "file_count"),
      sizeBytes: integer(row, "size_bytes"),
      durationMs: integer(row, "duration_ms"),
      authors: ofKind(kinds.author),
      series: ofKind(kinds.series),
    };
  }
}

/** Equal where nothing that is shown or searched differs. */
function hashOf(draft: BookDraft, contentJson: string): string {
  const { rootId, path, fingerprint, reviewReason } = draft;
  return hash("sha1", JSON.stringify([rootId, path, fingerprint, reviewReason]) + contentJson, "base64");
}

type Statements = Readonly<Record<keyof typeof sql, StatementSync>>;

function prepare(database: DatabaseSync): Statements {
  const entries = Object.entries(sql).map(([name, text]) => [name, database.prepare(text)] as const);
  return Object.fromEntries(entries) as Statements;
}

const sql = {
  putUnit: `
    INSERT INTO units (root_id, path_key, path, signature, book_count) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (root_id, path_key) DO UPDATE SET signature = ?4, book_count = ?5 RETURNING number`,
  putEntries: "INSERT OR REPLACE INTO unit_entries VALUES (?, ?)",
  removeUnit: "DELETE FROM units WHERE root_id = ? AND path_key = ?",
  removeEntries:
    "DELETE FROM unit_entries WHERE unit = (SELECT number FROM units WHERE root_id = ? AND path_key = ?)",
  bookWithLayers: `
    SELECT books.*, match_layer, user_layer, mtimes
    FROM books JOIN book_documents ON book = number WHERE id = ?`,
  wholeBook: "SELECT * FROM books JOIN book_documents ON book = number WHERE id = ?",
  booksOfUnit: "SELECT * FROM books WHERE root_id = ? AND unit_path = ?",
  putBook: `
    INSERT INTO books (id, root_id, path, unit_path, state, missing_by, fingerprint, content_hash, title_key,
      author_key, series_key, position_key, added_at, changed_at, duration_ms, size_bytes, file_count)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
    ON CONFLICT (id) DO UPDATE SET root_id = ?2, path = ?3, unit_path = ?4, state = ?5, missing_by = ?6,
      fingerprint = ?7, content_hash = ?8, title_key = ?9, author_key = ?10, series_key = ?11,
      position_key = ?12, added_at = ?13, changed_at = ?14, duration_ms = ?15, size_bytes = ?16,
      file_count = ?17
    RETURNING number`,
  putDocument: "INSERT OR REPLACE INTO book_documents VALUES (?, ?, ?, ?, ?, ?, ?)",
  putMtimes: "UPDATE book_documents SET mtimes = ? WHERE book = ?",
  putUnitPath: "UPDATE books SET unit_path = ? WHERE number = ?",
  markMissing: "UPDATE books SET state = ?, missing_by = ? WHERE number = ?",
  findName: "SELECT number FROM names WHERE name_key = ?",
  addName: "INSERT INTO names (name_key) VALUES (?) RETURNING number",
  addBookName: "INSERT OR IGNORE INTO book_names VALUES (?, ?, ?)",
  namesOf: "SELECT kind, name FROM book_names WHERE book = ?",
  removeNames: "DELETE FROM book_names WHERE book = ?",
  putText: "INSERT INTO book_text (rowid, text) VALUES (?, ?)",
  removeText: "DELETE FROM book_text WHERE rowid = ?",
} as const;
