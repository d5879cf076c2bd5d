import type { FileFacts, FileIdentity, Method, RootPath, Strategy } from "./organize.ts";

/*
 * What the journal of a batch holds, in the order in which it is written. Each record is on the disk before what it
 * announces happens, so that after a crash the records alone say what may have been done and by what it is known.
 */

export type JournalRecord =
  | BatchBegun
  | JournalBook
  | FolderSeen
  | FolderPlanned
  | FolderMade
  | StepPlanned
  | StepMade
  | StepDone
  | BatchCommitted
  | BatchEnded
  | BatchParked
  | BatchRolledBack;

/** The first record. */
export interface BatchBegun {
  readonly type: "begun";
  readonly schemaVersion: 1;
  /** The operation that runs the batch; also the batch's id. */
  readonly operationId: string;
  readonly kind: "organize" | "undo";
  /** Of an undo: the batch that it takes back. */
  readonly undoes: string | null;
  readonly roots: readonly JournalRoot[];
  /** RFC 3339. */
  readonly at: string;
  /** What the plan knew beyond the batch, for the summary: conflicts, what was skipped or refused. */
  readonly planned: Readonly<Record<string, unknown>>;
}

/** A root as it was: its path, and the inode by which an unmounted one is told from the real one. */
export interface JournalRoot {
  readonly id: string;
  readonly path: string;
  readonly ino: string;
  readonly kind: "library" | "inbox";
}

/** A book of the batch, for the catalogue and for people. */
export interface JournalBook {
  readonly type: "book";
  readonly bookId: string;
  readonly title: string;
  readonly from: RootPath & { readonly unitPath: string };
  readonly to: RootPath & { readonly unitPath: string };
}

/** A folder as it was before the batch put something into it or took something out. */
export interface FolderSeen {
  readonly type: "folder_seen";
  readonly folder: RootPath;
  readonly mtimeNs: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A folder is about to be made where nothing was. */
interface FolderPlanned {
  readonly type: "folder_planned";
  readonly folder: RootPath;
  /** Nanoseconds since the epoch, by this machine's clock. */
  readonly atNs: string;
}

/** It is ours. Without this record somebody else was faster. */
interface FolderMade {
  readonly type: "folder_made";
  readonly folder: RootPath;
  readonly identity: FileIdentity;
}

/** `sidecar`: one of those that we write beside a book. */
type FileRole = "track" | "companion" | "cover" | "sidecar";

/** One file is about to be placed, or only removed once the batch is committed. */
export interface StepPlanned {
  readonly type: "planned";
  readonly n: number;
  readonly bookId: string;
  readonly role: FileRole;
  /** Null for a step that only removes. */
  readonly place: {
    readonly source: RootPath;
    readonly facts: FileFacts;
    /** Hex; null where hashing links is switched off. */
    readonly sha256: string | null;
    readonly destination: RootPath;
    readonly strategy: Strategy;
    /** In the destination's folder. */
    readonly temporaryName: string;
  } | null;
  /** What goes after the commit. */
  readonly removes: readonly PlannedRemoval[];
  /** What the catalogue is told; null for a file that it does not know. `facts` of a file that lies there already. */
  readonly relocates: {
    readonly from: RootPath;
    readonly to: RootPath;
    readonly there: { readonly facts: FileFacts; readonly sha256: string | null } | null;
  } | null;
}

export interface PlannedRemoval {
  readonly file: RootPath;
  readonly facts: FileFacts;
  /** `discard`: at once where the placed file is the same inode, else into the trash. */
  readonly how: "unlink" | "discard";
}

/** A file of ours exists, still without its final name (or as an empty reservation of that name). */
export interface StepMade {
  readonly type: "made";
  readonly n: number;
  readonly method: Method;
  readonly as: "temporary" | "reservation";
  readonly identity: FileIdentity;
}

/** The file has its name, durably. */
export interface StepDone {
  readonly type: "done";
  readonly n: number;
  readonly method: Method;
  /** Of the file at the destination; of a symlink, of the link itself. */
  readonly facts: FileFacts;
  readonly sha256: string | null;
}

/** From here on the batch is only ever completed. */
interface BatchCommitted {
  readonly type: "committed";
  readonly at: string;
}

export interface BatchEnded {
  readonly type: "ended";
  readonly at: string;
  /** Steps whose file was to go and stayed, with the reason: it was changed, or could not be removed. */
  readonly kept: readonly { readonly n: number; readonly file: RootPath; readonly reason: string }[];
  /** Where the trash holds a removed file. */
  readonly trashed: readonly { readonly n: number; readonly file: RootPath; readonly trash: RootPath }[];
  /** When the folders seen were last changed by the batch: an undo gives them their time back only if it still holds. */
  readonly folders: readonly { readonly folder: RootPath; readonly mtimeNs: string }[];
}

/** Every file of it is at its place or where it was: nothing is half done, and what is left can be placed later. */
export interface BatchParked {
  readonly type: "parked";
  readonly at: string;
  /** What is not placed yet. */
  readonly rest: readonly NumberedStep[];
  /** Of the whole batch. */
  readonly bytes: number;
}

/** One file of a batch: placed, removed once the batch is committed, or both. */
export interface BatchStep {
  readonly bookId: string;
  readonly role: FileRole;
  readonly place: {
    readonly source: RootPath;
    readonly destination: RootPath;
    readonly strategy: Strategy;
    /** What is known of the source; it must still be so. Null: it is looked at and hashed now. */
    readonly known: { readonly facts: FileFacts; readonly sha256: string | null } | null;
    /** Whether the source goes too once all is committed. */
    readonly discardsSource: boolean;
  } | null;
  readonly removes: readonly PlannedRemoval[];
  readonly relocates: StepPlanned["relocates"];
}

/** `n` is its number in the batch, as its records name it. */
export interface NumberedStep extends BatchStep {
  readonly n: number;
}

/** Whether it is one of the batch's files: a sidecar of ours only goes, to be written anew where the book then is. */
export function isOfBatch({ role }: Pick<BatchStep, "role">): boolean {
  return role !== "sidecar";
}

interface BatchRolledBack {
  readonly type: "rolled_back";
  readonly at: string;
  readonly reason: string;
}

/** A batch as the index of journals knows it. */
export interface BatchRecord {
  readonly operationId: string;
  readonly kind: "organize" | "undo";
  readonly undoes: string | null;
  /**
   * `open`: not ended, to be recovered after a crash; `partly_undone`: an undo took back what was still as it had
   * been left.
   */
  readonly state: "open" | "ended" | "rolled_back" | "partly_undone" | "undone";
  /** The operation that undid it last. */
  readonly undoneBy: string | null;
  readonly books: number;
  readonly files: number;
  readonly bytes: number;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** The operation's summary. */
  readonly summary: Readonly<Record<string, unknown>> | null;
  /** Bytes of its journal when it ended: a shorter or longer one is damaged. */
  readonly journalBytes: number | null;
  /** True while the trash holds files of it. */
  readonly hasTrash: boolean;
}
