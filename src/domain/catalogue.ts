import type { BookDraft, BookState, BookSummary } from "./book.ts";
import type { PlacedFile, PlannableBook, Relocation, RootPath } from "./organize.ts";
import type { FileEntry, TrackResult } from "./scan.ts";

/** What the catalogue knows of a unit without its content: enough to see that nothing changed. */
export interface StoredUnit {
  readonly path: string;
  /** Of names, sizes and mtimes of all its files; equal means unchanged. */
  readonly signature: string;
  readonly bookCount: number;
}

/** A file of a stored unit with what was read from it, so that only changed files are read again. */
export interface UnitEntry {
  readonly file: FileEntry;
  /** Null for a file that is not audio. */
  readonly result: TrackResult | null;
}

/** A book of a unit that is written; `id` is null for one that is new. */
export interface UnitBook {
  readonly id: string | null;
  readonly draft: BookDraft;
}

export type UnitChange =
  | {
      readonly kind: "write";
      readonly rootId: string;
      readonly path: string;
      readonly signature: string;
      readonly entries: readonly UnitEntry[];
      /** All books of the unit: those that it had before and are not here are missing. */
      readonly books: readonly UnitBook[];
    }
  /** The unit's folder is gone or holds no audio any more: its books are missing, unless they moved. */
  | { readonly kind: "vanished"; readonly rootId: string; readonly path: string };

export interface CommitOutcome {
  readonly added: readonly BookSummary[];
  readonly changed: readonly BookSummary[];
  /** Books that became `needs_review` in this commit. */
  readonly needsReview: readonly BookSummary[];
}

export type BookSort = "title" | "author" | "series" | "added" | "duration";

export interface BookQuery {
  readonly text?: string | undefined;
  readonly author?: string | undefined;
  readonly series?: string | undefined;
  readonly narrator?: string | undefined;
  readonly state?: BookState | undefined;
  readonly sort?: BookSort | undefined;
  /** 1 to 200. */
  readonly limit: number;
  readonly offset: number;
}

export interface BookPage {
  readonly items: readonly BookSummary[];
  /** Of all matches, not of the page. */
  readonly total: number;
}

/** Totals over present books (`missing` and `needsReview` apart). A book that needs review is present too. */
export interface LibraryTotals {
  readonly books: number;
  readonly authors: number;
  readonly series: number;
  readonly files: number;
  readonly bytes: number;
  readonly durationSeconds: number;
  readonly missing: number;
  readonly needsReview: number;
  /** RFC 3339: when the last complete scan ended. */
  readonly lastScan: string | null;
}

/** The part of the catalogue that a scan needs. */
export interface ScanCatalogue {
  /** Up to `limit` units of the root in the walk's order, those after `after` (null: from the first). */
  unitsAfter(rootId: string, after: string | null, limit: number): readonly StoredUnit[];
  unitEntries(rootId: string, path: string): readonly UnitEntry[] | null;
  /** The books of one unit, for keeping their ids. */
  unitBooks(rootId: string, path: string): readonly KnownBook[];
  /** Books of the root with this fingerprint, missing ones too. */
  booksByFingerprint(rootId: string, fingerprint: string): readonly KnownBook[];
  /** Files of a unit that a book was copied or linked from, as they were then; names as in the unit. */
  originsOf(rootId: string, unitPath: string): readonly FileEntry[];
  /**
   * All of it in one transaction, or nothing. `operationId` marks the books that became missing by it; `filesRead`
   * is how many files it took to find out.
   */
  commit(operationId: string, changes: readonly UnitChange[], filesRead?: number): CommitOutcome;
  /** Makes all commits so far durable against a power cut (the WAL is fsynced off the main thread). */
  flush(): Promise<void>;
  /** What this operation has committed, over all its runs. */
  committedBy(operationId: string): CommittedCounts;
  /** Books that this operation found missing and that are still missing. */
  missingBy(operationId: string): readonly BookSummary[];
  /** Records when a complete scan of the root ended (RFC 3339). */
  scanEnded(rootId: string, at: string): void;
}

export interface CommittedCounts {
  /** Books; one that the operation added is not changed by it too, however often it comes upon it. */
  readonly added: number;
  readonly changed: number;
  readonly filesRead: number;
}

export interface KnownBook {
  readonly id: string;
  readonly path: string;
  readonly unitPath: string;
  readonly state: BookState;
  readonly fingerprint: string;
}

/** Organized files of one root, in the byte order of their paths. */
interface PlacedFilePage {
  readonly rootId: string;
  /** A folder of the root; `''` is all of it. */
  readonly under: string;
  /** The last path of the page before. */
  readonly after: string | null;
  readonly limit: number;
}

export interface RottenFiles {
  readonly count: number;
  /** The first few. */
  readonly first: readonly PlacedFile[];
}

/** The part that organizing and verifying need. */
export interface OrganizeCatalogue {
  plannableBook(id: string): PlannableBook | null;
  /** Ids of the books of a root that are there, in a fixed order, those after `after`. */
  booksOfRoot(rootId: string, after: string | null, limit: number): readonly string[];
  /** Whether a book that is none of these is there in this very folder. */
  hasOtherBooks(rootId: string, folder: string, except: ReadonlySet<string>): boolean;
  /**
   * Books have come to lie elsewhere; they keep their ids and what is known of them, and their files are not read
   * again. All in one transaction. Doing it twice changes nothing; a book that is not known is passed over.
   */
  relocate(operationId: string, relocations: readonly Relocation[]): CommitOutcome;
  placedFiles(page: PlacedFilePage): readonly PlacedFile[];
  /** Notes that a file holds something else than was recorded, or (null) that it does not. */
  markRotten(file: RootPath, at: string | null): void;
  /** The file is gone, or its owner has changed it: what was recorded says nothing about it any more. */
  forgetPlaced(file: RootPath): void;
  rottenFiles(): RottenFiles;
  /** Where the verify of that operation goes on; null where it begins. */
  verifyPosition(operationId: string): string | null;
  saveVerifyPosition(operationId: string, position: string | null): void;
}

/** A book's place in a series; the author is the book's first. */
export interface SeriesPlacePage {
  readonly places: readonly SeriesPlace[];
  /** Where the next page begins; null behind the last one. */
  readonly next: number | null;
}

export interface SeriesPlace {
  readonly bookId: string;
  readonly series: string;
  readonly position: string | null;
  readonly author: string | null;
}

/** The part that queries need. Everything is synchronous: SQLite answers in well under a millisecond. */
export interface BookCatalogue {
  query(query: BookQuery): BookPage;
  /**
   * Of the books that are not missing, those of the next `limit` behind `after` (0 at first). 50,000 books take a tenth of
   * a second.
   */
  seriesPlaces(after: number, limit: number): SeriesPlacePage;
  totals(): LibraryTotals & { readonly roots: Readonly<Record<string, LibraryTotals>> };
  /** Rises with every write to a book; read it before the query whose answer is to be cached. */
  generation(): number;
}
