import type { Root } from "../domain/book.ts";
import type { ScanCatalogue } from "../domain/catalogue.ts";
import { isForNow, type OperationContext } from "../domain/operation.ts";
import type { ScanProgress, ScanState } from "../domain/scan.ts";
import { AppError } from "../errors.ts";
import type { CheckpointStore } from "../store/ports.ts";
import { createCheckpointSaver } from "./checkpoint.ts";
import { createIdentities } from "./identity.ts";
import { type BookNews, createScanBatch } from "./scan-batch.ts";
import { countAhead } from "./scan-count.ts";
import { createStepLine } from "./scan-line.ts";
import { createScanTally, noCounts } from "./scan-progress.ts";
import type { RootGuard } from "./scan-root.ts";
import { createStepMaker, goneStep } from "./scan-steps.ts";
import { createStoredUnits, storedUnitsUpTo } from "./scan-stored.ts";
import type { BuildDrafts, ReadSidecars, ReadTracks } from "./scan-unit.ts";
import type { Walk, WalkOptions } from "./walk.ts";
import type { WalkedFolder } from "./walk-ahead.ts";

/** What of `scan.*` a scan goes by; asked for when it begins. */
export interface ScanSettings {
  /** Calls to the file system in flight. */
  readonly walkConcurrency: number;
  /** Folders between two points at which an interrupted scan can go on. */
  readonly checkpointInterval: number;
  /** Patterns as `createIsLeftOut` takes them. */
  readonly ignore: readonly string[];
}

export interface ScanDeps {
  readonly findRoot: (rootId: string) => Root | undefined;
  readonly catalogue: ScanCatalogue;
  readonly checkpoints: Pick<CheckpointStore, "save" | "load">;
  readonly walk: Walk;
  readonly readTracks: ReadTracks;
  readonly readSidecars: ReadSidecars;
  readonly buildDrafts: BuildDrafts;
  readonly settings: () => ScanSettings;
  readonly now: () => Date;
  /** Called for every few folders: whoever publishes it has to throttle. */
  readonly onProgress: (progress: ScanProgress) => void;
  readonly onBooks: (news: BookNews) => void;
  readonly warn: (message: string, error: unknown) => void;
}

export interface ScanInput {
  readonly root: Root;
  /** The folder to begin with, relative to the root; `''` is all of it. */
  readonly startPath: string;
  readonly force: boolean;
}

/** One run of a scan; `run` first, then one of the others. */
export interface Scan {
  run(): Promise<void>;
  /** After a failure: commits what was done and leaves behind what the next run needs. Never throws. */
  park(error: unknown): Promise<void>;
  /** After success: the last of the bookkeeping, and the summary. */
  finish(): Promise<Readonly<Record<string, unknown>>>;
}

/** A scan that is done sooner needs no percent. */
const countAfterMs = 500;

export function beginScan(
  deps: ScanDeps,
  operationId: string,
  context: OperationContext,
  { root, startPath, force }: ScanInput,
  guard: RootGuard,
): Scan {
  const { catalogue, checkpoints } = deps;
  const settings = deps.settings();
  const resumed = checkpoints.load(operationId);
  const resumedFrom = resumed?.checkpoint.cursor ?? null;
  const startMs = deps.now().getTime();
  const elapsedNowMs = (): number => deps.now().getTime() - startMs;
  const elapsedMs = (): number => (resumed?.checkpoint.elapsedMs ?? 0) + elapsedNowMs();
  /** Ends all that is under way when the scan ends, for whatever reason. */
  const ending = new AbortController();
  const signal = AbortSignal.any([context.signal, ending.signal]);

  const tally = createScanTally({
    operationId,
    rootId: root.id,
    startPath,
    resumedFrom,
    counts: resumed?.checkpoint.counts ?? noCounts,
    bookCount: resumedFrom === null ? 0 : booksBefore(resumedFrom),
    problems: resumed?.problems ?? [],
    elapsedMs: elapsedNowMs,
  });
  const saver = createCheckpointSaver({
    flush: () => catalogue.flush(),
    save: (checkpoint, newProblems) => checkpoints.save(checkpoint, newProblems),
  });
  const batch = createScanBatch({
    operationId,
    rootId: root.id,
    catalogue,
    identities: createIdentities(catalogue, root.id, root.path),
    guard,
    saver,
    tally,
    checkpointInterval: settings.checkpointInterval,
    now: deps.now,
    elapsedMs,
    onBooks: deps.onBooks,
  });
  const stored = createStoredUnits(catalogue, root.id, startPath, resumedFrom);
  const { readTracks, readSidecars, buildDrafts } = deps;
  const readers = { rootId: root.id, rootPath: root.path, readTracks, readSidecars, buildDrafts, signal };
  const maker = createStepMaker({ catalogue, readers, stored, force });
  const walkOptions: WalkOptions = {
    rootPath: root.path,
    startPath,
    after: resumedFrom,
    concurrency: settings.walkConcurrency,
    ignore: settings.ignore,
    signal,
  };
  const line = createStepLine({ batch, signal, onHeld: countIfSlow, onRead: () => report("reading") });
  /** Where the walk is, for the count that goes on from there. */
  let lastWalked = resumedFrom;
  let counting: Promise<void> | null = null;

  function report(state: ScanState): void {
    const progress = tally.progress(state);
    deps.onProgress(progress);
    context.report(progress.percent);
  }

  function pushFolder(folder: WalkedFolder): void {
    const step = maker.next(folder);
    lastWalked = folder.path;
    tally.found({ path: folder.path, audioFiles: step.audioFiles });
    line.push(step);
  }

  function countIfSlow(): void {
    if (counting !== null || elapsedNowMs() < countAfterMs) return;
    counting = countAhead(deps.walk, walkOptions, lastWalked, tally);
  }

  /** Whatever lies before the point of resumption was not walked; it is only looked whether it is still there. */
  async function checkBefore(last: string): Promise<void> {
    for (const unit of storedUnitsUpTo(catalogue, root.id, startPath, last)) {
      const step = goneStep(root.path, unit, false);
      line.push({ folder: null, audioFiles: 0, units: [step], cursor: null, openFiles: 1 });
      await line.drain();
    }
  }

  function booksBefore(last: string): number {
    let count = 0;
    for (const unit of storedUnitsUpTo(catalogue, root.id, startPath, last)) count += unit.bookCount;
    return count;
  }

  async function run(): Promise<void> {
    report(resumedFrom === null ? "walking" : "resuming");
    for await (const folders of deps.walk(walkOptions)) {
      for (const folder of folders) pushFolder(folder);
      await line.drain();
      report(line.isReading() ? "reading" : "walking");
    }
    tally.totalKnown();
    for (const step of maker.end()) {
      line.push(step);
      await line.drain();
    }
    if (resumedFrom !== null) await checkBefore(resumedFrom);
    await line.drainAll();
    report("saving");
    await guard.checkAtEnd();
    await batch.commitAll();
    await saver.settled();
  }

  /** Ends what is still under way beside the scan. */
  async function endAll(reason: unknown): Promise<void> {
    ending.abort(reason);
    await counting;
  }

  function tellMissing(): number {
    const missing = catalogue.missingBy(operationId);
    if (missing.length > 0) deps.onBooks({ added: [], changed: [], needsReview: [], missing });
    return missing.length;
  }

  return {
    run,
    async park(error) {
      const isStopped = context.signal.aborted;
      const isCancelled = isStopped && !isForNow(context.signal.reason);
      try {
        // A step that was cut off throws here; those before it have been taken.
        if (isStopped) await line.takeReady().catch(() => {});
        await endAll(error);
        await line.settled();
        if (isStopped || error instanceof AppError) await batch.commitAll();
        await saver.settled();
        if (!isStopped || isCancelled) tellMissing();
      } catch (failure) {
        deps.warn(
          "The end of a scan that was cut short could not be saved; it goes on further back",
          failure,
        );
      }
      report(isCancelled ? "idle" : isStopped ? "paused" : "failed");
    },
    async finish() {
      await endAll("finished");
      const missing = tellMissing();
      if (startPath === "") catalogue.scanEnded(root.id, deps.now().toISOString());
      await catalogue.flush();
      report("idle");
      const { dirs, files, problemCount } = tally.counts();
      const { added, changed, filesRead } = catalogue.committedBy(operationId);
      // As the contract has it.
      return {
        dirs,
        files,
        files_read: filesRead,
        books: tally.bookCount(),
        added,
        changed,
        missing,
        problem_count: problemCount,
        problems: tally.shownProblems(),
        seconds: Math.round(elapsedMs()) / 1000,
        resumed_from: resumedFrom,
      };
    },
  };
}
