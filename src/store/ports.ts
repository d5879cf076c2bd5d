import type { Book, BookField, BookFields, BookSummary, MatchLayer, Root } from "../domain/book.ts";
import type { BookCatalogue, CommitOutcome, OrganizeCatalogue, ScanCatalogue } from "../domain/catalogue.ts";
import type { BatchBegun, BatchRecord, JournalRecord } from "../domain/journal.ts";
import type { Operation, OperationState } from "../domain/operation.ts";
import type { ScanCheckpoint, ScanProblem } from "../domain/scan.ts";

/** Operations, kept in NeDB. A promise resolves when the change is durable. */
export interface OperationStore {
  put(operation: Operation): Promise<void>;
  get(id: string): Operation | null;
  /** Newest first. */
  list(filter: { readonly state?: OperationState; readonly limit: number; readonly offset: number }): {
    readonly items: readonly Operation[];
    readonly total: number;
  };
  /** Everything that has not ended, oldest first. */
  unfinished(): readonly Operation[];
  countByState(): Readonly<Record<OperationState, number>>;
  /** Operations asked for by this transaction within the last 24 hours. */
  byTransaction(transaction: string): readonly Operation[];
}

/**
 * Where interrupted scans go on. One record per operation, replaced by each save. A scan that has ended leaves
 * its own: until that it has ended is on record it may be run again, and then goes on from there.
 */
export interface CheckpointStore {
  /** Durable when it resolves. `newProblems` are those since the last save; the first 100 are kept. */
  save(checkpoint: ScanCheckpoint, newProblems: readonly ScanProblem[]): Promise<void>;
  load(
    operationId: string,
  ): { readonly checkpoint: ScanCheckpoint; readonly problems: readonly ScanProblem[] } | null;
  /** Forgets all others. */
  keepOnly(isKept: (operationId: string) => boolean): Promise<void>;
}

/** A command that was answered, kept for 24 hours so that the same transaction does nothing twice. */
export interface CommandRecord {
  readonly command: string;
  readonly transaction: string;
  /** The operations that answer it, empty for a command that ended at once. */
  readonly operationIds: readonly string[];
  /** MQTT 5: where else the answer goes. */
  readonly responseTopic: string | null;
  /** Base64. */
  readonly correlationData: string | null;
  /** The answers given so far, as they went out. */
  readonly answers: readonly Readonly<Record<string, unknown>>[];
  /** True when no further answer will follow. */
  readonly complete: boolean;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface CommandStore {
  put(record: CommandRecord): Promise<void>;
  get(command: string, transaction: string): CommandRecord | null;
  /** Records that still owe an answer. */
  open(): readonly CommandRecord[];
}

/** The journal of a batch that has not ended. */
export interface Journal {
  /** All that is on the disk, in order. */
  readonly records: readonly JournalRecord[];
  /** Of the file, its end mark included. */
  readonly sizeBytes: number;
  /**
   * Resolves when the records are on the disk; concurrent calls share one fdatasync. Throws `read_only` after the
   * first failed write: the batch then goes by what it knows, and the next start by what the disk has.
   */
  append(...records: readonly JournalRecord[]): Promise<void>;
  close(): Promise<void>;
}

/** The journals of what was organized: what recovery and undo go by. */
export interface JournalStore {
  /**
   * Begins a batch: its first records are durable when it resolves. Takes the place of an earlier batch of the
   * same operation that was rolled back; throws `conflict` for any other.
   */
  begin(begun: BatchBegun, records: readonly JournalRecord[]): Promise<Journal>;
  /** Opens the journal of a batch that has not ended. Null where it never came to be. Throws `store_damaged`. */
  resume(id: string): Promise<Journal | null>;
  /** Reads the journal of an ended batch. Throws `not_found`, and `store_damaged` where it is not what was written. */
  read(id: string): Promise<readonly JournalRecord[]>;
  batch(id: string): BatchRecord | null;
  /** Bytes of its journal's file; 0 where there is none. */
  sizeOf(id: string): Promise<number>;
  /** Newest first. */
  batches(): readonly BatchRecord[];
  put(batch: BatchRecord): Promise<void>;
  /** Forgets an ended batch and removes its journal. */
  remove(id: string): Promise<void>;
}

/** Something about the stored data that a person should know. */
export interface StoreIssue {
  /** `operations`, `checkpoints`, `commands`, `batches`, `journals`, `settings`, `breakers`, `answers`, `catalogue` or `node`. */
  readonly store: string;
  /** With `fatal` the store is read-only or not there at all; the runner should not start. */
  readonly severity: "warn" | "fatal";
  /** `disk_full` passes by itself when there is space; whatever else it is, a person has to end it. */
  readonly code: "store_damaged" | "store_newer" | "read_only" | "disk_full";
  readonly message: string;
  readonly remedy: string;
}

/**
 * All books known, in SQLite. What it throws: `not_found` for an unknown id, `read_only` where the disk refuses a
 * write (nothing of the transaction is kept), `store_damaged` where the database turns out to be broken.
 */
export interface Catalogue extends ScanCatalogue, BookCatalogue, OrganizeCatalogue {
  book(id: string): Book | null;
  /** Books that are not missing, newest first. */
  newestBooks(limit: number): readonly BookSummary[];
  /** Ids of the last 50 operations that added or changed the book, or found it missing; newest first. */
  historyOf(bookId: string): readonly string[];
  /** Books of the root that were there when it was last looked at, whether it is online or not. */
  knownBooks(rootId: string): number;
  /** Folders that hold books, disc folders not counted, over all roots. */
  unitCount(): number;
  /** Writes a user's correction: keys that are absent or `undefined` stay as they are. Throws `not_found`. */
  setFields(id: string, fields: BookFields): Book;
  /** Takes a user's correction back, field by field. Throws `not_found`. */
  clearFields(id: string, fields: readonly BookField[]): Book;
  /**
   * Changes what sources say of a book; the operation that does so, if one does, stands in the book's history. Where
   * nothing is different nothing is written. Throws `not_found`.
   */
  setMatch(
    id: string,
    change: (match: MatchLayer | null) => MatchLayer | null,
    operationId: string | null,
  ): CommitOutcome;
  /**
   * Which roots there are, all of them online. Books of any other root are `offline` and in no total. Before
   * the first call every root counts as configured.
   */
  configureRoots(roots: readonly Pick<Root, "id">[]): void;
  /** Books of a root that is not online are `offline`, and as they were when it is back. */
  setRootOnline(rootId: string, isOnline: boolean): void;
}

/** Answers of metadata sources, for as long as they are good. Losing them costs requests and nothing else. */
export interface AnswerStore {
  /** Null where there is none, or it has expired by then (milliseconds since 1970). */
  get(key: string, nowMs: number): string | null;
  put(key: string, value: string, expiresMs: number): void;
}
