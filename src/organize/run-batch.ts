import { lstat } from "node:fs/promises";
import fastq from "fastq";
import {
  type BatchBegun,
  type FolderSeen,
  isOfBatch,
  type JournalBook,
  type NumberedStep,
} from "../domain/journal.ts";
import { placeText, type RootPath } from "../domain/organize.ts";
import { AppError, systemCode, toErrorRecord } from "../errors.ts";
import type { Journal } from "../store/ports.ts";
import type { Batch, BatchDeps, Leftover } from "./batch.ts";
import { readBatch } from "./batch-records.ts";
import { absolutePath, parentOf, upwards } from "./batch-roots.ts";
import { completeBatch } from "./complete-batch.ts";
import { createFolderSync } from "./folder-sync.ts";
import { placeStep, type StepContext } from "./place-step.ts";
import type { BatchProgress, ProgressTotals } from "./progress.ts";
import { rollBack, takeBack } from "./roll-back.ts";

/**
 * Runs a batch: every file is placed, then the batch is committed, then sources go and the catalogue follows. The
 * first failure before the commit, an abort too, takes all of it back and is thrown; one that is to pause is parked
 * instead (`resumeBatch`). After the commit nothing interrupts it; what a crash or a full disk keeps from being done, `recoverBatches` does. Answers with the summary.
 */
export async function runBatch(
  deps: BatchDeps,
  batch: Batch,
  signal: AbortSignal,
  progress: BatchProgress,
): Promise<Readonly<Record<string, unknown>>> {
  const begun: BatchBegun = {
    type: "begun",
    schemaVersion: 1,
    operationId: batch.operationId,
    kind: batch.kind,
    undoes: batch.undoes,
    roots: batch.roots,
    at: deps.now().toISOString(),
    planned: batch.planned,
  };
  const books = batch.books.map((book): JournalBook => ({ type: "book", ...book }));
  const records = [...books, ...(await seeFolders(batch))];
  deps.running.add(batch.operationId);
  try {
    const journal = await deps.journals.begin(begun, records);
    const steps = batch.steps.map((step, n) => ({ ...step, n }));
    return await runSteps(deps, { ...batch, steps }, journal, signal, progress);
  } finally {
    deps.running.delete(batch.operationId);
  }
}

/** A batch whose journal has begun, and what of it is still to be done. */
export interface OpenBatch extends Pick<Batch, "kind" | "roots"> {
  readonly steps: readonly NumberedStep[];
}

/** Does what is left of a batch, closes its journal, and answers with the summary. */
export async function runSteps(
  deps: BatchDeps,
  batch: OpenBatch,
  journal: Journal,
  signal: AbortSignal,
  progress: BatchProgress,
): Promise<Readonly<Record<string, unknown>>> {
  try {
    await placeOrTakeBack(deps, batch, journal, signal, progress);
    progress.enter("committing");
    return (await completeBatch(deps, journal, { afterCrash: false })).summary;
  } finally {
    await journal.close();
  }
}

async function placeOrTakeBack(
  deps: BatchDeps,
  batch: OpenBatch,
  journal: Journal,
  signal: AbortSignal,
  progress: BatchProgress,
): Promise<void> {
  try {
    progress.enter(batch.kind === "undo" ? "undoing" : "placing");
    await placeAll(deps, batch, journal, signal, progress);
    signal.throwIfAborted();
    await journal.append({ type: "committed", at: deps.now().toISOString() });
  } catch (error) {
    const isParking = signal.aborted && signal.reason === "pause" && error === signal.reason;
    if (isParking && (await park(deps, batch, journal, progress.totals))) throw error;
    progress.enter("rolling_back");
    const leftovers = await rollBack(deps, journal, toErrorRecord(error).message);
    throw leftovers.length === 0 ? error : notAllTakenBack(error, leftovers);
  }
}

/**
 * Takes back what is half done and writes down what is left, so that the batch can go on later, after a crash too.
 * False where that did not work: then all of it has to be taken back.
 */
async function park(
  deps: BatchDeps,
  batch: OpenBatch,
  journal: Journal,
  totals: ProgressTotals,
): Promise<boolean> {
  const records = readBatch(journal.records);
  const placed = new Set<number>();
  try {
    for (const step of records.steps.toReversed()) {
      const isPlaced = step.done !== null || step.planned.place === null;
      if (isPlaced) placed.add(step.planned.n);
      else if ((await takeBack(records, step)) !== null) return false;
    }
    const rest = batch.steps.filter(({ n }) => !placed.has(n));
    await journal.append({ type: "parked", at: deps.now().toISOString(), rest, bytes: totals.bytes });
    return true;
  } catch (error) {
    deps.warn(`a batch that was to pause is taken back instead: ${toErrorRecord(error).message}`);
    return false;
  }
}

/** What waits for the journal and for folders shares their syncs: a link costs little else. */
const stepsAtOnce = 64;

/** A pool over the files. The first failure stops it; it is thrown when nothing is under way any more. */
async function placeAll(
  deps: BatchDeps,
  batch: OpenBatch,
  journal: Journal,
  signal: AbortSignal,
  progress: BatchProgress,
): Promise<void> {
  const stopping = new AbortController();
  const settings = deps.settings();
  const heavy = fastq.promise<null, () => Promise<unknown>>((work) => work(), settings.concurrency);
  const context: StepContext = {
    roots: batch.roots,
    settings,
    journal: (...records) => journal.append(...records),
    syncFolder: createFolderSync(),
    heavy: <T>(work: () => Promise<T>) => heavy.push(work) as Promise<T>,
    inTurn: createTurns(),
    unsupported: new Set(),
    newId: deps.newId,
    signal: AbortSignal.any([signal, stopping.signal]),
    onBytes: progress.bytes,
  };
  const failures: unknown[] = [];
  const pool = fastq.promise<null, NumberedStep, void>(
    async (step) => {
      if (context.signal.aborted) return;
      try {
        await placeStep(step.n, step, context);
        if (isOfBatch(step)) progress.placed(step.bookId);
      } catch (reason) {
        failures.push(reason);
        stopping.abort();
      }
    },
    Math.max(stepsAtOnce, settings.concurrency),
  );
  await Promise.all(batch.steps.map((step) => pool.push(step)));
  // What was cut off by the signal has failed because of it alone.
  const [failure] = failures.filter((reason) => !isAbortOf(signal, reason));
  if (failure !== undefined) throw failure;
  signal.throwIfAborted();
}

/** Folders that the batch puts something into or takes something out of, as they are before. */
async function seeFolders({ roots, steps }: Batch): Promise<readonly FolderSeen[]> {
  const folders = new Map<string, RootPath>();
  for (const { place, removes } of steps) {
    const files = removes.map(({ file }) => file);
    if (place !== null) files.push(place.destination, ...(place.discardsSource ? [place.source] : []));
    for (const folder of files.flatMap((file) => upwards(parentOf(file)))) {
      folders.set(placeText(folder), folder);
    }
  }
  const seen: FolderSeen[] = [];
  for (const folder of folders.values()) {
    const stats = await lstat(absolutePath(roots, folder), { bigint: true }).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return null;
      throw error;
    });
    if (stats === null) continue;
    const [mode, uid, gid] = [stats.mode & 0o7777n, stats.uid, stats.gid].map(Number);
    if (mode === undefined || uid === undefined || gid === undefined) continue;
    seen.push({ type: "folder_seen", folder, mtimeNs: String(stats.mtimeNs), mode, uid, gid });
  }
  return seen;
}

function createTurns(): StepContext["inTurn"] {
  const last = new Map<string, Promise<void>>();
  return (absolute, work) => {
    const turn = (last.get(absolute) ?? Promise.resolve()).then(work, work).finally(() => {
      if (last.get(absolute) === turn) last.delete(absolute);
    });
    last.set(absolute, turn);
    return turn;
  };
}

/** The failure that ended the batch, and what of it could not be taken back. */
function notAllTakenBack(error: unknown, leftovers: readonly Leftover[]): AppError {
  const { code, message, retryable, details } = toErrorRecord(error);
  const [first] = leftovers;
  const where = first === undefined ? "" : `${placeText(first.file)}: ${first.reason}`;
  return new AppError(
    code,
    `${message} ${leftovers.length} file(s) of the batch stay where they are, the first is ${where}`,
    {
      cause: error,
      retryable,
      details: {
        ...details,
        leftovers: leftovers.slice(0, 100).map(({ file, reason }) => ({ path: placeText(file), reason })),
      },
    },
  );
}

function isAbortOf(signal: AbortSignal, reason: unknown): boolean {
  return (
    signal.aborted && (reason === signal.reason || (reason instanceof Error && reason.name === "AbortError"))
  );
}
