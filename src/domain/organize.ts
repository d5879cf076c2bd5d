import type { Book } from "./book.ts";

export const strategies = ["auto", "reflink", "hardlink", "copy", "symlink", "move"] as const;
/**
 * How a batch brings files to their place. `auto`: reflink, else hardlink, else copy. `move`: placed by hardlink, across
 * file systems by copy, and the source removed once the whole batch is committed.
 */
export type Strategy = (typeof strategies)[number];

export const methods = ["reflink", "hardlink", "copy", "symlink"] as const;
/** What was done for one file. */
export type Method = (typeof methods)[number];

/** A file or folder of a root. */
export interface RootPath {
  readonly rootId: string;
  /** Relative to the root, `/` between segments, `''` for the root itself. */
  readonly path: string;
}

/** `books:/Author/Title`: a place as the wire, the journal's readers and messages spell it. */
export function placeText({ rootId, path }: RootPath): string {
  return `${rootId}:/${path}`;
}

/**
 * Not a root of anybody's: the place of the covers that were fetched, or taken out of tracks. No root of a
 * configuration can have this id.
 */
export const coversRootId = ".covers";

/** One file's way. */
export interface Move {
  readonly bookId: string;
  /** `cover`: `from` is the track that it is taken out of, or what was fetched; it is copied, and stays there. */
  readonly role: "track" | "companion" | "cover";
  readonly from: RootPath;
  readonly to: RootPath;
  /** As the catalogue knows it; 0 for a cover, which it does not know. */
  readonly sizeBytes: number;
  /** Whether the source goes once the batch is committed. */
  readonly removesSource: boolean;
}

/** One book's way, all its files. */
export interface BookMove {
  readonly bookId: string;
  readonly title: string;
  /** Where the catalogue says that it is, and the folder that was scanned as one (`unitPath`). */
  readonly from: RootPath & { readonly unitPath: string };
  readonly to: RootPath & { readonly unitPath: string };
  /** Of its tracks and companions. */
  readonly strategy: Strategy;
  readonly moves: readonly Move[];
}

/** Why a book was left out of a plan, or a file refused an undo; nothing was touched for it. */
export type ConflictCode =
  /** Another book of the plan has the same path (`with`: its id). */
  | "same_destination"
  /** Something lies there already. */
  | "destination_taken"
  | "path_too_long"
  /** A reflink or hardlink was asked for and the two places are on different file systems. */
  | "cross_device"
  /** A link on the way leads out of the root. */
  | "outside_root"
  /** The source is not what the catalogue, or the journal, knows: scan again. */
  | "source_changed"
  | "source_missing"
  /** Undo: what was placed is no longer what the journal recorded. */
  | "destination_changed"
  | "destination_missing";

export interface Conflict {
  readonly bookId: string;
  readonly path: RootPath;
  readonly code: ConflictCode;
  /** The other book's id, or the path that is in the way; null where there is no other. */
  readonly with: string | null;
  /** What happened and what to do. */
  readonly message: string;
}

/** What an organize would do. Pure data, made before anything is touched. */
export interface Plan {
  readonly books: readonly BookMove[];
  readonly conflicts: readonly Conflict[];
  /** Left alone for a reason that is no conflict: needs review, in its place already, not due. */
  readonly skipped: readonly { readonly bookId: string; readonly reason: string }[];
  /** To be written beyond what links and reflinks share. */
  readonly bytesNeeded: number;
  /** The least over the file systems that are written to. */
  readonly bytesFree: number;
}

/** What the plan needs of a book. */
export type PlannableBook = Pick<
  Book,
  | "id"
  | "rootId"
  | "path"
  | "state"
  | "title"
  | "subtitle"
  | "authors"
  | "narrators"
  | "series"
  | "year"
  | "publisher"
  | "language"
  | "genres"
  | "asin"
  | "isbn"
  | "reviewReason"
  | "tracks"
  | "companions"
  | "cover"
> & { readonly unitPath: string };

/**
 * What proves that a file is the one that was seen before: a name proves nothing. Decimal text, since the numbers go
 * beyond what JSON keeps. `birthtimeNs` is `0` where the file system has none.
 */
export interface FileIdentity {
  readonly dev: string;
  readonly ino: string;
  readonly birthtimeNs: string;
}

/** A file as it was seen. */
export interface FileFacts {
  readonly identity: FileIdentity;
  readonly sizeBytes: number;
  readonly mtimeNs: string;
  /** Permission bits. */
  readonly mode: number;
}

/** A file that an operation has put where the catalogue now has it. */
export interface RelocatedFile {
  readonly from: RootPath;
  readonly to: RootPath;
  /** Of the file at `to`. */
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Hex; null where hashing links is switched off. */
  readonly sha256: string | null;
}

/** A book that has come to lie elsewhere, told by whoever moved its files. */
export interface Relocation {
  readonly bookId: string;
  readonly to: RootPath & { readonly unitPath: string };
  readonly files: readonly RelocatedFile[];
  /** The files are still where they came from too: copied or linked. They are its origin, and not a second book. */
  readonly sourceStays: boolean;
}

/** A file as it was recorded when it was organized. */
export interface PlacedFile extends RootPath {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly bookId: string;
  readonly operationId: string;
}

/** What the `organize` topic says, in our spelling. */
export interface OrganizeProgress {
  readonly state:
    | "idle"
    | "planning"
    | "placing"
    | "committing"
    | "rolling_back"
    | "paused"
    | "undoing"
    | "verifying"
    | "failed";
  readonly operationId: string | null;
  readonly booksTotal: number;
  readonly booksDone: number;
  readonly filesTotal: number;
  readonly filesDone: number;
  readonly bytesTotal: number;
  readonly bytesDone: number;
  /** Null until the total is known. */
  readonly percent: number | null;
  readonly conflicts: number;
}

/** Nothing is being organized. */
export const idleOrganize: OrganizeProgress = {
  state: "idle",
  operationId: null,
  booksTotal: 0,
  booksDone: 0,
  filesTotal: 0,
  filesDone: 0,
  bytesTotal: 0,
  bytesDone: 0,
  percent: null,
  conflicts: 0,
};

/** The newest batch that ended well, for the topic and for `undo` without an id. */
export interface LastBatch {
  readonly operationId: string;
  /** RFC 3339. */
  readonly finishedAt: string;
  readonly books: number;
  readonly files: number;
  /** RFC 3339; null where it cannot be undone any more. */
  readonly undoableUntil: string | null;
}
