import { open } from "node:fs/promises";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Book, BookField, BookFields, BookSummary, MatchLayer, Root } from "../domain/book.ts";
import type {
  BookPage,
  BookQuery,
  CommitOutcome,
  CommittedCounts,
  LibraryTotals,
  RottenFiles,
  UnitChange,
} from "../domain/catalogue.ts";
import type { PlannableBook, Relocation } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { type PlacedFiles, preparePlacedFiles } from "./catalogue-placed.ts";
import { CatalogueReader } from "./catalogue-query.ts";
import { bookOf, integer, type KeptLayers, text } from "./catalogue-rows.ts";
import { databaseError, openDatabase } from "./catalogue-schema.ts";
import { readTotals } from "./catalogue-totals.ts";
import { prepareUnitReader, type UnitReader } from "./catalogue-units.ts";
import { CatalogueWriter } from "./catalogue-write.ts";
import type { Catalogue } from "./ports.ts";

export interface CatalogueFile extends Catalogue {
  /** Reads the whole database (a second or so per 100 MB) and throws `store_damaged` where it is not sound. */
  verify(): void;
  close(): Promise<void>;
}

/** Opens or creates the catalogue. Throws `store_damaged` or `store_newer`; the file then stays as it is. */
export function openCatalogue(file: string, now: () => Date): CatalogueFile {
  return new SqliteCatalogue(file, openDatabase(file), now);
}

class SqliteCatalogue implements CatalogueFile {
  readonly #file: string;
  readonly #database: DatabaseSync;
  readonly #reader: CatalogueReader;
  readonly #writer: CatalogueWriter;
  readonly #units: UnitReader;
  readonly #placed: PlacedFiles;
  readonly #wholeBook: StatementSync;
  readonly #missingBy: StatementSync;
  readonly #historyOf: StatementSync;
  readonly #committedBy: StatementSync;
  readonly #scanEnded: StatementSync;
  readonly #rootsWithTotals: StatementSync;
  readonly #offlineRoots = new Set<string>();
  #configuredRoots: ReadonlySet<string> | null = null;
  #generation = 1;
  #totals: ReturnType<typeof readTotals> | null = null;
  #flushing: Promise<void> | null = null;
  #failure: AppError | null = null;

  constructor(file: string, database: DatabaseSync, now: () => Date) {
    this.#file = file;
    this.#database = database;
    this.#reader = new CatalogueReader(
      database,
      (rootId) => this.#isOffline(rootId),
      () => this.#generation,
    );
    this.#writer = new CatalogueWriter(database, now);
    this.#units = prepareUnitReader(database);
    this.#placed = preparePlacedFiles(database);
    this.#wholeBook = database.prepare(
      "SELECT * FROM books JOIN book_documents ON book = number WHERE id = ?",
    );
    this.#historyOf = database.prepare(`
      SELECT operations.id FROM book_history
      JOIN operations ON operations.number = operation
      WHERE book = (SELECT number FROM books WHERE id = ?)
      ORDER BY operation DESC LIMIT 50`);
    this.#committedBy = database.prepare("SELECT added, changed, files_read FROM operations WHERE id = ?");
    this.#missingBy = database.prepare(
      "SELECT number FROM books WHERE missing_by = ? ORDER BY title_key, number",
    );
    this.#scanEnded = database.prepare("INSERT OR REPLACE INTO scans VALUES (?, ?)");
    this.#rootsWithTotals = database.prepare(
      "SELECT root_id FROM root_totals UNION SELECT root_id FROM scans ORDER BY root_id",
    );
  }

  unitsAfter(...args: Parameters<UnitReader["unitsAfter"]>): ReturnType<UnitReader["unitsAfter"]> {
    return this.#guarded(() => this.#units.unitsAfter(...args));
  }

  unitEntries(...args: Parameters<UnitReader["unitEntries"]>): ReturnType<UnitReader["unitEntries"]> {
    return this.#guarded(() => this.#units.unitEntries(...args));
  }

  unitBooks(...args: Parameters<UnitReader["unitBooks"]>): ReturnType<UnitReader["unitBooks"]> {
    return this.#guarded(() => this.#units.unitBooks(...args));
  }

  booksByFingerprint(
    ...args: Parameters<UnitReader["booksByFingerprint"]>
  ): ReturnType<UnitReader["booksByFingerprint"]> {
    return this.#guarded(() => this.#units.booksByFingerprint(...args));
  }

  originsOf(...args: Parameters<UnitReader["originsOf"]>): ReturnType<UnitReader["originsOf"]> {
    return this.#guarded(() => this.#units.originsOf(...args));
  }

  booksOfRoot(...args: Parameters<UnitReader["booksOfRoot"]>): ReturnType<UnitReader["booksOfRoot"]> {
    return this.#guarded(() => this.#units.booksOfRoot(...args));
  }

  hasOtherBooks(...args: Parameters<UnitReader["hasOtherBooks"]>): boolean {
    return this.#guarded(() => this.#units.hasOtherBooks(...args));
  }

  plannableBook(id: string): PlannableBook | null {
    return this.#guarded(() => {
      const row = this.#wholeBook.get(id);
      if (row === undefined) return null;
      return { ...bookOf(row, this.#reader.stateOf(row)), unitPath: text(row, "unit_path") };
    });
  }

  relocate(operationId: string, relocations: readonly Relocation[]): CommitOutcome {
    this.#refuseAfterFailure();
    const { touched, ...outcome } = this.#guarded(() => this.#writer.relocate(operationId, relocations));
    if (touched) this.#booksChanged();
    return outcome;
  }

  placedFiles(...args: Parameters<PlacedFiles["placedFiles"]>): ReturnType<PlacedFiles["placedFiles"]> {
    return this.#guarded(() => this.#placed.placedFiles(...args));
  }

  markRotten(...args: Parameters<PlacedFiles["markRotten"]>): void {
    this.#refuseAfterFailure();
    this.#guarded(() => this.#placed.markRotten(...args));
  }

  forgetPlaced(...args: Parameters<PlacedFiles["forgetPlaced"]>): void {
    this.#refuseAfterFailure();
    this.#guarded(() => this.#placed.forgetPlaced(...args));
  }

  verifyPosition(operationId: string): string | null {
    return this.#guarded(() => this.#placed.verifyPosition(operationId));
  }

  saveVerifyPosition(operationId: string, position: string | null): void {
    this.#refuseAfterFailure();
    this.#guarded(() => this.#placed.saveVerifyPosition(operationId, position));
  }

  rottenFiles(): RottenFiles {
    return this.#guarded(() => this.#placed.rottenFiles());
  }

  unitCount(): number {
    return this.#guarded(() => this.#units.unitCount());
  }

  knownBooks(rootId: string): number {
    return this.#guarded(() => this.#units.knownBooks(rootId));
  }

  historyOf(bookId: string): readonly string[] {
    return this.#guarded(() => this.#historyOf.all(bookId).map((row) => text(row, "id")));
  }

  commit(operationId: string, changes: readonly UnitChange[], filesRead = 0): CommitOutcome {
    this.#refuseAfterFailure();
    const { touched, ...outcome } = this.#guarded(() => this.#writer.commit(operationId, changes, filesRead));
    if (touched) this.#booksChanged();
    return outcome;
  }

  committedBy(operationId: string): CommittedCounts {
    const row = this.#guarded(() => this.#committedBy.get(operationId));
    if (row === undefined) return { added: 0, changed: 0, filesRead: 0 };
    const [added, changed, filesRead] = [
      integer(row, "added"),
      integer(row, "changed"),
      integer(row, "files_read"),
    ];
    return { added, changed, filesRead };
  }

  missingBy(operationId: string): readonly BookSummary[] {
    return this.#guarded(() => {
      const rows = this.#missingBy.all(operationId);
      return this.#reader.summaries(rows.map((row) => integer(row, "number")));
    });
  }

  scanEnded(rootId: string, at: string): void {
    this.#refuseAfterFailure();
    this.#guarded(() => this.#scanEnded.run(rootId, at));
    this.#totals = null;
  }

  /** Calls at the same time share one fdatasync after the one that is under way. */
  async flush(): Promise<void> {
    await this.#flushing;
    this.#refuseAfterFailure();
    this.#flushing ??= this.#syncLog().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  query(query: BookQuery): BookPage {
    return this.#guarded(() => this.#reader.page(query));
  }

  newestBooks(limit: number): readonly BookSummary[] {
    return this.#guarded(() => this.#reader.newest(limit));
  }

  seriesPlaces(
    ...args: Parameters<CatalogueReader["seriesPlaces"]>
  ): ReturnType<CatalogueReader["seriesPlaces"]> {
    return this.#guarded(() => this.#reader.seriesPlaces(...args));
  }

  totals(): LibraryTotals & { readonly roots: Readonly<Record<string, LibraryTotals>> } {
    this.#totals ??= this.#guarded(() => this.#readTotals());
    return this.#totals;
  }

  generation(): number {
    return this.#generation;
  }

  book(id: string): Book | null {
    return this.#guarded(() => {
      const row = this.#wholeBook.get(id);
      return row === undefined ? null : bookOf(row, this.#reader.stateOf(row));
    });
  }

  setFields(id: string, fields: BookFields): Book {
    const said = Object.entries(fields).filter(([, value]) => value !== undefined);
    return this.#correct(id, (user) => ({ ...user, ...Object.fromEntries(said) }));
  }

  clearFields(id: string, fields: readonly BookField[]): Book {
    const names: ReadonlySet<string> = new Set(fields);
    return this.#correct(id, (user) => {
      const left = Object.entries(user ?? {}).filter(([name]) => !names.has(name));
      return left.length === 0 ? null : Object.fromEntries(left);
    });
  }

  setMatch(
    id: string,
    change: (match: MatchLayer | null) => MatchLayer | null,
    operationId: string | null,
  ): CommitOutcome {
    this.#refuseAfterFailure();
    return this.#setKept(id, (kept) => ({ ...kept, match: change(kept.match) }), operationId);
  }

  configureRoots(roots: readonly Pick<Root, "id">[]): void {
    this.#configuredRoots = new Set(roots.map((root) => root.id));
    this.#offlineRoots.clear();
    this.#booksChanged();
  }

  setRootOnline(rootId: string, isOnline: boolean): void {
    if (isOnline === !this.#offlineRoots.has(rootId)) return;
    if (isOnline) this.#offlineRoots.delete(rootId);
    else this.#offlineRoots.add(rootId);
    this.#booksChanged();
  }

  verify(): void {
    const rows = this.#guarded(() => this.#database.prepare("PRAGMA quick_check(1)").all());
    const finding = rows[0]?.["quick_check"];
    if (finding === "ok") return;
    throw new AppError("store_damaged", `${this.#file} is damaged: ${finding}`);
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      if (this.#database.isOpen) this.#database.close();
    }
  }

  #correct(id: string, change: (user: KeptLayers["user"]) => KeptLayers["user"]): Book {
    this.#refuseAfterFailure();
    this.#setKept(id, (kept) => ({ ...kept, user: change(kept.user) }), null);
    const book = this.book(id);
    if (book === null) throw noBook(id);
    return book;
  }

  #setKept(...args: Parameters<CatalogueWriter["setKept"]>): CommitOutcome {
    const written = this.#guarded(() => this.#writer.setKept(...args));
    if (written === null) throw noBook(args[0]);
    const { touched, ...outcome } = written;
    if (touched) this.#booksChanged();
    return outcome;
  }

  #readTotals(): ReturnType<typeof readTotals> {
    const known = this.#configuredRoots ?? this.#rootsWithTotals.all().map((row) => text(row, "root_id"));
    return readTotals(this.#database, [...known], (rootId) => this.#isOffline(rootId));
  }

  #isOffline(rootId: string): boolean {
    const isConfigured = this.#configuredRoots?.has(rootId) ?? true;
    return !isConfigured || this.#offlineRoots.has(rootId);
  }

  #booksChanged(): void {
    this.#generation++;
    this.#totals = null;
  }

  /**
   * Of SQLite's files only the log may be opened and closed here: closing any descriptor of the database itself
   * would drop the locks that SQLite holds on it. What a checkpoint moved into the database, SQLite has synced.
   */
  async #syncLog(): Promise<void> {
    const log = `${this.#file}-wal`;
    try {
      const handle = await open(log, "r+");
      try {
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${log} cannot be made durable: ${reason}. Free space or repair the disk, then restart.`;
      this.#failure = new AppError("read_only", message, { cause: error });
      throw this.#failure;
    }
  }

  /** A second fdatasync would succeed and prove nothing: what the first one lost is gone from the cache. */
  #refuseAfterFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw databaseError(error, this.#file);
    }
  }
}

function noBook(id: string): AppError {
  return new AppError("not_found", `there is no book with the id ${id}`);
}
