import type { BookDraft, BookSummary } from "../domain/book.ts";
import type { ScanCatalogue, UnitChange } from "../domain/catalogue.ts";
import type { FileEntry, ScanCounts, ScanProblem } from "../domain/scan.ts";
import type { CheckpointSaver } from "./checkpoint.ts";
import type { Identities } from "./identity.ts";
import { problemsShown, type ScanTally } from "./scan-progress.ts";
import type { RootGuard } from "./scan-root.ts";
import type { Pending, Step, UnitStep } from "./scan-steps.ts";
import type { ReadUnit } from "./scan-unit.ts";
import { withProblemMark } from "./signature.ts";
import { joinPath } from "./walk-place.ts";

/** Files read and milliseconds after which is committed, however few folders that were. */
const commitFiles = 1000;
const commitMs = 5000;
/** While nothing is read, a checkpoint only spares walking; so often is enough. */
const idleSaveMs = 250;

/** Books as the rest of the program is told about them; lists may be empty. */
export interface BookNews {
  readonly added: readonly BookSummary[];
  readonly changed: readonly BookSummary[];
  readonly needsReview: readonly BookSummary[];
  readonly missing: readonly BookSummary[];
}

export interface BatchOptions {
  readonly operationId: string;
  readonly rootId: string;
  readonly catalogue: Pick<ScanCatalogue, "commit" | "originsOf">;
  readonly identities: Identities;
  readonly guard: RootGuard;
  readonly saver: CheckpointSaver;
  readonly tally: ScanTally;
  /** Folders between two commits. */
  readonly checkpointInterval: number;
  readonly now: () => Date;
  /** Of the runs before this one and this one, in milliseconds. */
  readonly elapsedMs: () => number;
  readonly onBooks: (news: BookNews) => void;
}

/** Takes finished steps in their order and commits them together; behind every commit a checkpoint. */
export interface ScanBatch {
  /** The step has to be ready. Rejects with what its reading failed with. */
  take(step: Step): Promise<void>;
  /**
   * Commits what was taken, when enough has come together, and saves a checkpoint beside the scan. Throws
   * `root_unavailable` where the root is not what it was, and then nothing of it is in the catalogue.
   */
  commitIfDue(): Promise<void>;
  commitAll(): Promise<void>;
}

export function createScanBatch(options: BatchOptions): ScanBatch {
  const { tally, now } = options;
  let changes: UnitChange[] = [];
  let marked: { readonly cursor: string; readonly counts: ScanCounts } | null = null;
  /** Problems since the last mark, and those up to it that no checkpoint holds yet. */
  let problems: readonly ScanProblem[] = [];
  let savable: readonly ScanProblem[] = [];
  let folders = 0;
  let filesRead = 0;
  let hasChangedSinceSave = false;
  let lastCommitMs = now().getTime();
  let lastSaveMs = lastCommitMs;

  async function takeUnit(unit: UnitStep): Promise<void> {
    switch (unit.kind) {
      case "kept":
        tally.books(unit.bookCount);
        return;
      case "gone":
        takeGone(unit, settledValue(unit.isGone));
        return;
      case "read":
        await takeRead(unit, settledValue(unit.reading));
    }
  }

  function takeGone(
    { path, bookCount, isCounted }: Extract<UnitStep, { kind: "gone" }>,
    isGone: boolean,
  ): void {
    if (isGone) changes.push({ kind: "vanished", rootId: options.rootId, path });
    if (isGone === isCounted) tally.books(isGone ? -bookCount : bookCount);
  }

  async function takeRead(step: Extract<UnitStep, { kind: "read" }>, read: ReadUnit): Promise<void> {
    addProblems(read.problems);
    filesRead += read.filesRead;
    if (read.drafts === null) {
      tally.books(step.bookCount);
      return;
    }
    const origins = options.catalogue.originsOf(options.rootId, step.unit.path);
    const drafts = read.drafts.filter((draft) => !isOrigin(draft, step.unit.path, origins));
    const books = await options.identities.assign(step.unit.path, drafts);
    const signature = read.problems.length > 0 ? withProblemMark(step.signature) : step.signature;
    const { rootId } = options;
    changes.push({ kind: "write", rootId, path: step.unit.path, signature, entries: read.entries, books });
    tally.books(books.length);
  }

  function addProblems(more: readonly ScanProblem[]): void {
    tally.problems(more);
    problems = problems.concat(more).slice(0, problemsShown);
  }

  /** Everything up to here is in `changes` or in the catalogue, and nothing of what comes behind is counted. */
  function mark(cursor: string): void {
    savable = savable.concat(problems).slice(0, problemsShown);
    problems = [];
    marked = { cursor, counts: tally.counts() };
  }

  async function commit(): Promise<void> {
    folders = 0;
    lastCommitMs = now().getTime();
    if (changes.length === 0 && filesRead === 0) return;
    await options.guard.check();
    const outcome = options.catalogue.commit(options.operationId, changes, filesRead);
    changes = [];
    filesRead = 0;
    hasChangedSinceSave = true;
    options.identities.committed();
    options.onBooks({ ...outcome, missing: [] });
  }

  function saveCheckpoint(): void {
    if (marked === null) return;
    const { operationId, rootId, elapsedMs } = options;
    const savedAt = now().toISOString();
    options.saver.save({ operationId, rootId, ...marked, elapsedMs: elapsedMs(), savedAt }, savable);
    marked = null;
    savable = [];
    hasChangedSinceSave = false;
    lastSaveMs = now().getTime();
  }

  return {
    async take(step) {
      if (step.folder !== null) {
        tally.done(step);
        addProblems(step.folder.problems);
        folders++;
      }
      for (const unit of step.units) await takeUnit(unit);
      if (step.cursor !== null) mark(step.cursor);
    },
    async commitIfDue() {
      const nowMs = now().getTime();
      const isDue =
        folders >= options.checkpointInterval || filesRead >= commitFiles || nowMs - lastCommitMs >= commitMs;
      if (!isDue) return;
      await commit();
      if (hasChangedSinceSave || nowMs - lastSaveMs >= idleSaveMs) saveCheckpoint();
    },
    async commitAll() {
      await commit();
      saveCheckpoint();
    },
  };
}

/** Where a book was copied or linked from is not a second book, as long as all of it is as it was. */
function isOrigin({ tracks }: BookDraft, unitPath: string, origins: readonly FileEntry[]): boolean {
  if (origins.length === 0) return false;
  const byPath = new Map(origins.map((file) => [joinPath(unitPath, file.name), file]));
  return tracks.every(({ path, sizeBytes, mtimeMs }) => {
    const origin = byPath.get(path);
    return origin?.sizeBytes === sizeBytes && origin.mtimeMs === mtimeMs;
  });
}

function settledValue<T>(pending: Pending<T>): T {
  const outcome = pending.outcome();
  if (outcome === null) throw new Error("A step was taken before it was ready");
  if (!outcome.ok) throw outcome.reason;
  return outcome.value;
}
