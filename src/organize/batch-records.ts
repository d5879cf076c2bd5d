import type {
  BatchBegun,
  BatchEnded,
  BatchParked,
  FolderSeen,
  JournalBook,
  JournalRecord,
  StepDone,
  StepMade,
  StepPlanned,
} from "../domain/journal.ts";
import { type FileIdentity, placeText, type RootPath } from "../domain/organize.ts";
import { AppError } from "../errors.ts";

/** What the journal says about one file. */
export interface StepRecords {
  readonly planned: StepPlanned;
  /** All of them: `auto` may have tried more than one way. */
  readonly made: readonly StepMade[];
  readonly done: StepDone | null;
}

export interface FolderRecords {
  readonly folder: RootPath;
  /** Nanoseconds since the epoch: it was not there then. */
  readonly plannedAtNs: string;
  /** Null where a crash came between making it and writing that down, or where somebody else made it. */
  readonly identity: FileIdentity | null;
}

/** A batch as its journal tells it. */
export interface BatchRecords {
  readonly begun: BatchBegun;
  readonly books: readonly JournalBook[];
  /** In the order in which they were planned. */
  readonly steps: readonly StepRecords[];
  /** In the order in which they were made, parents first. */
  readonly folders: readonly FolderRecords[];
  readonly seen: readonly FolderSeen[];
  readonly isCommitted: boolean;
  readonly ended: BatchEnded | null;
  /** Where it was parked and nothing came after that. */
  readonly parked: BatchParked | null;
  readonly isRolledBack: boolean;
}

/** Puts a journal's records together. Throws `store_damaged` where they do not begin as a batch. */
export function readBatch(records: readonly JournalRecord[]): BatchRecords {
  const [begun] = records;
  if (begun?.type !== "begun") {
    throw new AppError("store_damaged", "A journal does not begin with its batch: restore it from a backup");
  }
  const steps = new Map<number, { planned: StepPlanned; made: StepMade[]; done: StepDone | null }>();
  const folders = new Map<string, FolderRecords>();
  const books: JournalBook[] = [];
  const seen: FolderSeen[] = [];
  let isCommitted = false;
  let ended: BatchEnded | null = null;
  let isRolledBack = false;
  const last = records.at(-1);
  for (const record of records) {
    switch (record.type) {
      case "begun":
      case "parked":
        break;
      case "book":
        books.push(record);
        break;
      case "folder_seen":
        seen.push(record);
        break;
      case "folder_planned":
        folders.set(placeText(record.folder), {
          folder: record.folder,
          plannedAtNs: record.atNs,
          identity: null,
        });
        break;
      case "folder_made": {
        const key = placeText(record.folder);
        const { folder, identity } = record;
        folders.set(key, { folder, plannedAtNs: folders.get(key)?.plannedAtNs ?? "0", identity });
        break;
      }
      case "planned":
        steps.set(record.n, { planned: record, made: [], done: null });
        break;
      case "made":
        steps.get(record.n)?.made.push(record);
        break;
      case "done": {
        const step = steps.get(record.n);
        if (step !== undefined) step.done = record;
        break;
      }
      case "committed":
        isCommitted = true;
        break;
      case "ended":
        ended = record;
        break;
      case "rolled_back":
        isRolledBack = true;
        break;
    }
  }
  return {
    begun,
    books,
    steps: [...steps.values()],
    folders: [...folders.values()],
    seen,
    isCommitted,
    ended,
    parked: last?.type === "parked" ? last : null,
    isRolledBack,
  };
}
