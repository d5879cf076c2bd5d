import { hash, randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { isDeepStrictEqual } from "node:util";
import type { BookDraft, BookSummary } from "../domain/book.ts";
import type { CommitOutcome, UnitBook, UnitChange } from "../domain/catalogue.ts";
import { composeFields } from "../domain/compose.ts";
import { pathSortKey } from "../domain/order.ts";
import type { Relocation } from "../domain/organize.ts";
import { BookWriter } from "./catalogue-book-writer.ts";
import { packEntries } from "./catalogue-entries.ts";
import { relocatedContent, UnitRelocation } from "./catalogue-relocate.ts";
import {
  integer,
  type KeptLayers,
  keptLayers,
  ownState,
  prepareAll,
  type Row,
  type StoredContent,
  storedContent,
  text,
  textOrNull,
  withKept,
} from "./catalogue-rows.ts";

/** The operations whose books are known: as many as are kept of those that ended, at least. */
const keptOperations = 10_000;
/** Looking for what is too old reads the whole history. */
const forgottenAtOnce = 1000;

type UnitWrite = Extract<UnitChange, { kind: "write" }>;

interface Outcome {
  readonly added: BookSummary[];
  readonly changed: BookSummary[];
  readonly needsReview: BookSummary[];
  /** Ids of books that were added, changed or found missing. */
  readonly touched: string[];
  /** Ids of those that were missing and are there again. */
  readonly returned: Set<string>;
}

/** Everything that changes books: each public method is one transaction. */
export class CatalogueWriter {
  readonly #database: DatabaseSync;
  readonly #statements;
  readonly #books: BookWriter;
  readonly #now: () => Date;

  constructor(database: DatabaseSync, now: () => Date) {
    this.#database = database;
    this.#statements = prepareAll(database, sql);
    this.#books = new BookWriter(database);
    this.#now = now;
  }

  /**
   * Applies a scan's changes; where a unit is in them twice, the later one. All units are written before anything
   * is called missing, so it does not matter in which order a book leaves one unit and enters another.
   */
  commit(
    operationId: string,
    changes: readonly UnitChange[],
    filesRead: number,
  ): CommitOutcome & { readonly touched: boolean } {
    return this.#transaction(() => {
      const outcome: Outcome = { added: [], changed: [], needsReview: [], touched: [], returned: new Set() };
      const at = this.#now().toISOString();
      const last = new Map(changes.map((change) => [`${change.rootId}:${change.path}`, change]));
      const written = new Set<string>();
      for (const change of last.values()) {
        if (change.kind === "vanished") this.#removeUnit(change.rootId, change.path);
        else this.#writeUnit(change, at, written, outcome);
      }
      let touched = written.size > 0;
      for (const change of last.values()) {
        for (const row of this.#statements.booksOfUnit.all(change.rootId, change.path)) {
          if (written.has(text(row, "id")) || ownState(row) === "missing") continue;
          this.#books.markMissing(row, operationId);
          outcome.touched.push(text(row, "id"));
          touched = true;
        }
      }
      this.#books.finish();
      this.#writeHistory(operationId, outcome, filesRead);
      const { added, changed, needsReview } = outcome;
      return { added, changed, needsReview, touched };
    });
  }

  /** Books have come to lie elsewhere. Those that are there already, or are not known, are passed over. */
  relocate(
    operationId: string,
    relocations: readonly Relocation[],
  ): CommitOutcome & { readonly touched: boolean } {
    return this.#transaction(() => {
      const outcome: Outcome = { added: [], changed: [], needsReview: [], touched: [], returned: new Set() };
      const units = new UnitRelocation(this.#database);
      for (const relocation of relocations) {
        const row = this.#statements.wholeBook.get(relocation.bookId);
        if (row === undefined || isAt(row, relocation)) continue;
        units.move(row, relocation, operationId);
        outcome.changed.push(this.#relocateBook(row, relocation));
        outcome.touched.push(relocation.bookId);
      }
      units.write();
      this.#books.finish();
      this.#writeHistory(operationId, outcome, 0);
      const { added, changed, needsReview, touched } = outcome;
      return { added, changed, needsReview, touched: touched.length > 0 };
    });
  }

  #relocateBook(row: Row, relocation: Relocation): BookSummary {
    const { content, mtimes } = relocatedContent(row, relocation);
    const { rootId, path, unitPath } = relocation.to;
    const fingerprint = text(row, "fingerprint");
    const contentJson = JSON.stringify(content);
    const reviewReason = textOrNull(row, "review_reason");
    const book = {
      id: relocation.bookId,
      rootId,
      path,
      unitPath,
      fingerprint,
      contentHash: hashOf({ rootId, path, fingerprint, reviewReason }, contentJson),
      addedAt: text(row, "added_at"),
      changedAt: this.#now().toISOString(),
      content,
      contentJson,
      mtimes: JSON.stringify(mtimes),
      kept: withFormer(keptLayers(row), content),
      draftReviewReason: undefined,
      missing: null,
    };
    return this.#books.put(book, row);
  }

  /**
   * Writes what of a book no scan says, and with it all that depends on it. `operationId`: the one that does it, for the
   * book's history. Null where there is no such book; `touched` is false where all is as it was.
   */
  setKept(
    id: string,
    change: (kept: KeptLayers) => KeptLayers,
    operationId: string | null,
  ): (CommitOutcome & { readonly touched: boolean }) | null {
    return this.#transaction(() => {
      const row = this.#statements.wholeBook.get(id);
      if (row === undefined) return null;
      const before = keptLayers(row);
      const kept = change(before);
      if (isDeepStrictEqual(kept, before)) return { added: [], changed: [], needsReview: [], touched: false };
      const contentJson = text(row, "content");
      const content: StoredContent = JSON.parse(contentJson);
      const book = {
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
        kept,
        draftReviewReason: undefined,
        missing: ownState(row) === "missing" ? { by: textOrNull(row, "missing_by") } : null,
      };
      const stateBefore = ownState(row);
      const changed = [this.#books.put(book, row)];
      if (operationId !== null) {
        this.#writeHistory(
          operationId,
          { added: [], changed, needsReview: [], touched: [id], returned: new Set() },
          0,
        );
      }
      const needsReview = changed.filter(({ state }) => state === "needs_review" && stateBefore !== state);
      return { added: [], changed, needsReview, touched: true };
    });
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#books.finish();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      this.#books.discard();
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #writeHistory(
    operationId: string,
    { added, changed, touched, returned }: Outcome,
    filesRead: number,
  ): void {
    if (touched.length === 0 && filesRead === 0) return;
    const isNew = this.#statements.addOperation.run(operationId).changes > 0;
    const operation = this.#statements.findOperation.get(operationId)?.["number"] ?? null;
    if (isNew) this.#forgetOldHistory(Number(operation));
    const touchedBefore = new Set(
      touched.filter((id) => this.#statements.addHistory.run(operation, id).changes === 0),
    );
    // A scan that goes on may come upon a book a second time: that book is counted already.
    const newlyChanged = changed.filter(({ id }) => !touchedBefore.has(id) || returned.has(id));
    this.#statements.countBooks.run(added.length, newlyChanged.length, filesRead, operation);
  }

  /** The history of a library that changes for years does not outgrow its books. */
  #forgetOldHistory(newest: number): void {
    if (newest % forgottenAtOnce !== 0) return;
    const forgotten = newest - keptOperations;
    this.#statements.removeHistory.run(forgotten);
    this.#statements.removeOperations.run(forgotten);
  }

  #removeUnit(rootId: string, path: string): void {
    const unit = this.#statements.findUnit.get(rootId, pathSortKey(path));
    if (unit === undefined) return;
    const number = integer(unit, "number");
    this.#statements.removeEntries.run(number);
    this.#statements.removeUnit.run(number);
    this.#statements.removeOrigins.run(rootId, path);
  }

  #writeUnit(change: UnitWrite, at: string, written: Set<string>, outcome: Outcome): void {
    const { rootId, path, signature, entries, books } = change;
    const pathKey = pathSortKey(path);
    const unit = this.#statements.findUnit.get(rootId, pathKey);
    if (unit === undefined) {
      const { lastInsertRowid } = this.#statements.addUnit.run(
        rootId,
        pathKey,
        path,
        signature,
        books.length,
      );
      this.#statements.addEntries.run(lastInsertRowid, packEntries(entries));
    } else {
      const number = integer(unit, "number");
      this.#statements.putUnit.run(signature, books.length, number);
      this.#statements.putEntries.run(packEntries(entries), number);
    }
    for (const book of books) written.add(this.#writeBook(book, path, at, outcome));
  }

  /**
   * Whether anything that is shown or searched differs. Where organizing has put a book, what its folder says of it is
   * new to the catalogue, and mostly says what was known.
   */
  #isNews(before: Row, draft: BookDraft, content: StoredContent, kept: KeptLayers): boolean {
    const isThere =
      ownState(before) !== "missing" &&
      text(before, "root_id") === draft.rootId &&
      text(before, "path") === draft.path &&
      text(before, "fingerprint") === draft.fingerprint;
    const row = isThere ? this.#statements.wholeBook.get(text(before, "id")) : undefined;
    if (row === undefined) return true;
    const shown = (stored: StoredContent, reviewReason: string | null) => ({
      ...stored,
      ...composeFields(withKept(stored, kept)),
      layers: null,
      reviewReason: kept.match === null && kept.user === null ? reviewReason : null,
    });
    const stored: StoredContent = JSON.parse(text(row, "content"));
    const now: StoredContent = JSON.parse(JSON.stringify(content));
    return !isDeepStrictEqual(
      shown(stored, textOrNull(row, "review_reason")),
      shown(now, draft.reviewReason),
    );
  }

  #writeBook({ id: knownId, draft }: UnitBook, unitPath: string, at: string, outcome: Outcome): string {
    const id = knownId ?? randomUUID();
    const before = knownId === null ? undefined : this.#statements.bookWithLayers.get(id);
    const { content, mtimes } = storedContent(draft);
    const contentJson = JSON.stringify(content);
    const contentHash = hashOf(draft, contentJson);
    const isSame = before !== undefined && text(before, "content_hash") === contentHash;
    if (isSame && ownState(before) !== "missing") {
      const number = integer(before, "number");
      if (text(before, "mtimes") !== mtimes) this.#statements.putMtimes.run(mtimes, number);
      if (text(before, "unit_path") !== unitPath) this.#statements.putUnitPath.run(unitPath, number);
      return id;
    }
    const kept = before === undefined ? { match: null, user: null } : keptLayers(before);
    const isNews = before === undefined || this.#isNews(before, draft, content, kept);
    const book = {
      id,
      rootId: draft.rootId,
      path: draft.path,
      unitPath,
      fingerprint: draft.fingerprint,
      contentHash,
      addedAt: before === undefined ? at : text(before, "added_at"),
      changedAt: isSame || (before !== undefined && !isNews) ? text(before, "changed_at") : at,
      content,
      contentJson,
      mtimes,
      kept,
      draftReviewReason: draft.reviewReason,
      missing: null,
    };
    const summary = this.#books.put(book, before);
    if (!isNews) return id;
    if (before === undefined) outcome.added.push(summary);
    else outcome.changed.push(summary);
    outcome.touched.push(id);
    if (before !== undefined && ownState(before) === "missing") outcome.returned.add(id);
    const wasInReview = before !== undefined && ownState(before) === "needs_review";
    if (summary.state === "needs_review" && !wasInReview) outcome.needsReview.push(summary);
    return id;
  }
}

/** An id or a narrator that stood in a folder's name alone would be forgotten with it. */
function withFormer(kept: KeptLayers, content: StoredContent): KeptLayers {
  const layers = withKept(content, kept);
  const { provenance } = composeFields(layers);
  const told = Object.entries(layers.folder ?? {}).filter(
    ([field]) => field !== "title" && provenance[field as keyof typeof provenance] === "folder",
  );
  if (told.length === 0) return kept;
  return { ...kept, match: { ...kept.match, former: Object.fromEntries(told) } };
}

/** Its files are looked at too: a book keeps its folder where only their names change. */
function isAt(row: Row, { to, files }: Relocation): boolean {
  const isInPlace =
    text(row, "root_id") === to.rootId &&
    text(row, "path") === to.path &&
    text(row, "unit_path") === to.unitPath;
  if (!isInPlace) return false;
  const { tracks, companions }: StoredContent = JSON.parse(text(row, "content"));
  const own = new Set([...tracks, ...companions].map(({ path }) => path));
  return files.every((file) => own.has(file.to.path));
}

/** Equal where nothing that is shown or searched differs. */
function hashOf(
  draft: Pick<BookDraft, "rootId" | "path" | "fingerprint" | "reviewReason">,
  contentJson: string,
): string {
  const { rootId, path, fingerprint, reviewReason } = draft;
  return hash("sha1", JSON.stringify([rootId, path, fingerprint, reviewReason]) + contentJson, "base64");
}

const sql = {
  findUnit: "SELECT number FROM units WHERE root_id = ? AND path_key = ?",
  addUnit: "INSERT INTO units (root_id, path_key, path, signature, book_count) VALUES (?, ?, ?, ?, ?)",
  putUnit: "UPDATE units SET signature = ?, book_count = ? WHERE number = ?",
  removeUnit: "DELETE FROM units WHERE number = ?",
  addEntries: "INSERT INTO unit_entries VALUES (?, ?)",
  putEntries: "UPDATE unit_entries SET entries = ? WHERE unit = ?",
  removeEntries: "DELETE FROM unit_entries WHERE unit = ?",
  removeOrigins: "DELETE FROM origins WHERE root_id = ? AND unit_path = ?",
  bookWithLayers: `
    SELECT books.*, match_layer, user_layer, mtimes
    FROM books JOIN book_documents ON book = number WHERE id = ?`,
  wholeBook: "SELECT * FROM books JOIN book_documents ON book = number WHERE id = ?",
  booksOfUnit: "SELECT * FROM books WHERE root_id = ? AND unit_path = ?",
  addOperation: "INSERT OR IGNORE INTO operations (id) VALUES (?)",
  countBooks: `
    UPDATE operations SET added = added + ?, changed = changed + ?, files_read = files_read + ?
    WHERE number = ?`,
  findOperation: "SELECT number FROM operations WHERE id = ?",
  addHistory: "INSERT OR IGNORE INTO book_history SELECT number, ? FROM books WHERE id = ?",
  removeHistory: "DELETE FROM book_history WHERE operation <= ?",
  removeOperations: "DELETE FROM operations WHERE number <= ?",
  putMtimes: "UPDATE book_documents SET mtimes = ? WHERE book = ?",
  putUnitPath: "UPDATE books SET unit_path = ? WHERE number = ?",
} as const;
