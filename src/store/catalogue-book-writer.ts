import type { DatabaseSync } from "node:sqlite";
import type { BookSummary } from "../domain/book.ts";
import { type ComposedFields, composeFields, reviewReasonOf } from "../domain/compose.ts";
import {
  chaptersOf,
  coverOf,
  fingerprintKey,
  integer,
  type KeptLayers,
  kinds,
  type Measures,
  measure,
  type OwnState,
  ownState,
  prepareAll,
  type Row,
  type StoredContent,
  stateNumber,
  storedSummary,
  text,
  titleOf,
  withKept,
} from "./catalogue-rows.ts";
import { type BookWeight, TotalsDelta } from "./catalogue-totals.ts";
import { indexedText } from "./search-text.ts";
import { nameKey, positionKey } from "./sort-keys.ts";

/** A book on its way into the tables, whoever wrote it: a scan or a person. */
export interface WrittenBook {
  readonly id: string;
  readonly rootId: string;
  readonly path: string;
  readonly unitPath: string;
  readonly fingerprint: string;
  readonly contentHash: string;
  readonly addedAt: string;
  readonly changedAt: string;
  readonly content: StoredContent;
  /** `content` as text, and the tracks' mtimes in their order. */
  readonly contentJson: string;
  readonly mtimes: string;
  readonly kept: KeptLayers;
  /**
   * What the scan found (null: nothing); it holds where nobody but the scan said anything about the book.
   * `undefined` where it was not a scan that wrote it.
   */
  readonly draftReviewReason: string | null | undefined;
  /** The operation that missed it; null where it is there. Being corrected does not bring a book back. */
  readonly missing: { readonly by: string | null } | null;
}

/** So many names' numbers are remembered between commits: a scan meets an author's books one after another. */
const rememberedNames = 5000;

/**
 * Writes single books with all that depends on them. Full texts and totals are gathered: `finish` writes them at
 * the end of the transaction, `discard` forgets them after a rollback.
 */
export class BookWriter {
  readonly #statements;
  readonly #totals: TotalsDelta;
  readonly #names = new Map<string, number>();
  readonly #texts = new Map<number, string>();
  readonly #staleTexts = new Set<number>();

  constructor(database: DatabaseSync) {
    this.#statements = prepareAll(database, sql);
    this.#totals = new TotalsDelta(database);
  }

  /** `before` is the book's row of `books`, undefined for a new one. */
  put(book: WrittenBook, before: Row | undefined): BookSummary {
    const { content, kept } = book;
    const { fields, provenance } = composeFields(withKept(content, kept));
    const isScanAlone = kept.match === null && kept.user === null;
    const reviewReason =
      isScanAlone && book.draftReviewReason !== undefined
        ? book.draftReviewReason
        : reviewReasonOf(fields, provenance, content.titleIsBareName, kept.match?.candidates);
    const state = stateOf(book, reviewReason);
    const title = titleOf(fields, book.rootId, book.path);
    const measures = measure(content.tracks);
    const chapterCount = chaptersOf(content, kept.match).chapters.length;
    const cover = coverOf(content, kept.match);
    const stored = storedSummary(fields, title, content, measures, cover, chapterCount);
    const weightBefore = before === undefined ? null : this.#weightOf(before);
    const number = this.#putRow(book, state, title, fields, measures, before);
    this.#putDocument(number, book, JSON.stringify(stored), reviewReason, before);
    const seriesNames = fields.series.map((each) => each.name);
    if (before !== undefined) this.#statements.removeNames.run(number);
    this.#putNames(kinds.narrator, fields.narrators, number);
    this.#totals.replace(weightBefore, {
      rootId: book.rootId,
      state,
      fileCount: content.tracks.length,
      sizeBytes: measures.sizeBytes,
      durationMs: measures.durationMs,
      authors: this.#putNames(kinds.author, fields.authors, number),
      series: this.#putNames(kinds.series, seriesNames, number),
    });
    if (before !== undefined) this.#staleTexts.add(number);
    const searchable = [title, fields.subtitle, ...fields.authors, ...fields.narrators, ...seriesNames];
    this.#texts.set(number, indexedText([...searchable, fields.asin, fields.isbn]));
    const { id, rootId, path, addedAt, changedAt } = book;
    return { id, rootId, path, state, ...stored, addedAt, changedAt };
  }

  markMissing(row: Row, operationId: string): void {
    const before = this.#weightOf(row);
    this.#statements.markMissing.run(stateNumber("missing"), operationId, integer(row, "number"));
    this.#totals.replace(before, { ...before, state: "missing" });
  }

  /** All texts at once: FTS5 writes out what it gathered at the start of every statement of a transaction. */
  finish(): void {
    this.#totals.write();
    if (this.#staleTexts.size > 0) this.#statements.removeTexts.run(JSON.stringify([...this.#staleTexts]));
    if (this.#texts.size > 0) this.#statements.putTexts.run(JSON.stringify([...this.#texts]));
    this.#staleTexts.clear();
    this.#texts.clear();
  }

  discard(): void {
    this.#totals.clear();
    this.#staleTexts.clear();
    this.#texts.clear();
    this.#names.clear();
  }

  #putRow(
    book: WrittenBook,
    state: OwnState,
    title: string,
    fields: ComposedFields,
    measures: Measures,
    before: Row | undefined,
  ): number {
    const series = fields.series[0];
    const columns = [
      book.rootId,
      book.path,
      book.unitPath,
      stateNumber(state),
      book.missing?.by ?? null,
      book.fingerprint,
      fingerprintKey(book.fingerprint),
      book.contentHash,
      nameKey(title),
      nameKey(fields.authors[0]),
      nameKey(series?.name),
      positionKey(series?.position),
      book.addedAt,
      book.changedAt,
      measures.durationMs,
      measures.sizeBytes,
      book.content.tracks.length,
    ];
    if (before === undefined) return Number(this.#statements.addRow.run(book.id, ...columns).lastInsertRowid);
    const number = integer(before, "number");
    this.#statements.putRow.run(number, ...columns);
    return number;
  }

  #putDocument(
    number: number,
    book: WrittenBook,
    summaryJson: string,
    reviewReason: string | null,
    before: Row | undefined,
  ): void {
    const { match, user } = book.kept;
    const statement = before === undefined ? this.#statements.addDocument : this.#statements.putDocument;
    statement.run(
      number,
      summaryJson,
      reviewReason,
      match === null ? null : JSON.stringify(match),
      user === null ? null : JSON.stringify(user),
      book.mtimes,
      book.contentJson,
    );
  }

  /** The names' numbers. */
  #putNames(kind: number, names: readonly string[], book: number): readonly number[] {
    return names.map((name) => {
      const number = this.#nameNumber(nameKey(name));
      this.#statements.addBookName.run(kind, number, book);
      return number;
    });
  }

  #nameNumber(key: string): number {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const row = this.#statements.findName.get(key);
    const number =
      row === undefined ? Number(this.#statements.addName.run(key).lastInsertRowid) : integer(row, "number");
    if (this.#names.size >= rememberedNames) this.#names.clear();
    this.#names.set(key, number);
    return number;
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

function stateOf(book: WrittenBook, reviewReason: string | null): OwnState {
  if (book.missing !== null) return "missing";
  return reviewReason === null ? "present" : "needs_review";
}

const sql = {
  addRow: `
    INSERT INTO books (id, root_id, path, unit_path, state, missing_by, fingerprint, fingerprint_key,
      content_hash, title_key, author_key, series_key, position_key, added_at, changed_at, duration_ms,
      size_bytes, file_count)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  putRow: `
    UPDATE books SET root_id = ?2, path = ?3, unit_path = ?4, state = ?5, missing_by = ?6, fingerprint = ?7,
      fingerprint_key = ?8, content_hash = ?9, title_key = ?10, author_key = ?11, series_key = ?12,
      position_key = ?13, added_at = ?14, changed_at = ?15, duration_ms = ?16, size_bytes = ?17,
      file_count = ?18
    WHERE number = ?1`,
  addDocument: "INSERT INTO book_documents VALUES (?, ?, ?, ?, ?, ?, ?)",
  putDocument: "REPLACE INTO book_documents VALUES (?, ?, ?, ?, ?, ?, ?)",
  markMissing: "UPDATE books SET state = ?, missing_by = ? WHERE number = ?",
  findName: "SELECT number FROM names WHERE name_key = ?",
  addName: "INSERT INTO names (name_key) VALUES (?)",
  addBookName: "INSERT OR IGNORE INTO book_names VALUES (?, ?, ?)",
  namesOf: "SELECT kind, name FROM book_names WHERE book = ?",
  removeNames: "DELETE FROM book_names WHERE book = ?",
  putTexts: `
    INSERT INTO book_text (rowid, text)
    SELECT value ->> 0, value ->> 1 FROM json_each(?) ORDER BY 1`,
  removeTexts: "DELETE FROM book_text WHERE rowid IN (SELECT value FROM json_each(?))",
} as const;
