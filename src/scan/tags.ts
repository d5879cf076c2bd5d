import { availableParallelism } from "node:os";
import type { Piscina } from "piscina";
import type { TrackResult } from "../domain/scan.ts";
import type { TagBatch, TagBatchAnswer } from "./tags-batch.ts";
import { closedError, diskLost, fatal, overdue, workerError } from "./tags-failures.ts";
import { createTagQueue, type TagItem } from "./tags-queue.ts";

/** Reads the tags of files in worker threads. */
export interface TagReader {
  /**
   * One result per name, in their order; names are relative to the folder. Rejects with `disk_lost` where
   * the system says that the disk is gone, with the signal's reason when it is aborted.
   */
  read(folder: string, names: readonly string[], signal?: AbortSignal): Promise<TrackResult[]>;
  /**
   * The cover that is in a file, an absolute path; null where none is. Rejects where it cannot be read, or not within
   * the time that a file has.
   */
  readPicture(path: string): Promise<Uint8Array | null>;
  /** How many files are read at the same time from now on; never more than there are cores. */
  setConcurrency(concurrency: number): void;
  /** Ends the workers. What is still being read rejects. */
  close(): Promise<void>;
}

export interface TagReaderSettings {
  readonly concurrency: number;
  /** A file that takes longer is a problem, and its worker is ended. */
  readonly fileTimeoutMs: number;
  /** A worker with nothing to do ends after this; 3 s when left out. */
  readonly idleTimeoutMs?: number;
  /** Another worker file, for tests. */
  readonly workerUrl?: URL;
}

/** A batch is to last some milliseconds: long enough to outweigh the message, short enough to share the work. */
const maxBatchFiles = 64;

/** How long a worker may take to load its modules on a slow and busy machine. */
const startTimeoutMs = 30_000;

/** How long a closing waits for workers that hang in the system: they cannot be ended. */
const closeTimeoutMs = 2000;

/** Enough for any real file; a hostile one ends its worker, not the runner. */
const workerLimits = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 } as const;

interface RunningBatch {
  readonly items: readonly TagItem[];
  readonly progress: Int32Array;
  readonly stop: AbortController;
  /** The file that it was last seen at, and since when. */
  seenAt: number;
  seenMs: number;
  isOverdue: boolean;
}

/**
 * Workers start with the first read and end when idle. One timer watches them all: each says in shared memory
 * which file it is at, and one that stays at a file for too long is ended; the rest of its batch is read
 * again by another.
 */
export function createTagReader(settings: TagReaderSettings): TagReader {
  const { fileTimeoutMs } = settings;
  const queue = createTagQueue();
  const running = new Set<RunningBatch>();
  let pool: Promise<Piscina> | null = null;
  let limit = withinCores(settings.concurrency);
  let watch: NodeJS.Timeout | null = null;
  let isClosed = false;

  function start(): void {
    while (!isClosed && running.size < limit) {
      const share = Math.ceil(queue.length() / (limit - running.size));
      const items = queue.take(Math.min(share, maxBatchFiles));
      if (items.length === 0) break;
      const batch: RunningBatch = {
        items,
        progress: new Int32Array(new SharedArrayBuffer(4)),
        stop: new AbortController(),
        seenAt: 0,
        seenMs: performance.now(),
        isOverdue: false,
      };
      running.add(batch);
      watch ??= setInterval(endOverdue, Math.max(5, Math.min(250, fileTimeoutMs / 4)));
      void run(batch);
    }
  }

  async function run(batch: RunningBatch): Promise<void> {
    try {
      const task: TagBatch = { paths: batch.items.map((item) => item.path), progress: batch.progress };
      pool ??= openPool(settings, failAll);
      const answer: TagBatchAnswer = await (await pool).run(task, { signal: batch.stop.signal });
      settle(batch, answer);
    } catch (error) {
      putBack(batch, error);
    } finally {
      running.delete(batch);
      if (running.size === 0 && watch !== null) {
        clearInterval(watch);
        watch = null;
      }
      start();
    }
  }

  function settle(batch: RunningBatch, answer: TagBatchAnswer): void {
    for (const [i, item] of batch.items.entries()) {
      const outcome = answer[i];
      if (outcome === undefined) queue.putBack(item);
      else if ("lost" in outcome) item.fail(diskLost(outcome.code, outcome.path));
      else item.settle(outcome);
    }
  }

  /** The worker is gone: the file that it was at is to blame, all others are read again. */
  function putBack(batch: RunningBatch, error: unknown): void {
    const current = Atomics.load(batch.progress, 0) - 1;
    for (const [i, item] of [...batch.items.entries()].reverse()) {
      if (isClosed) item.fail(closedError());
      else if (current < 0) item.fail(workerError(error));
      else if (i !== current) queue.putBack(item);
      else if (batch.isOverdue) item.settle(overdue(fileTimeoutMs));
      else if (item.isSuspect) item.settle(fatal(error));
      // The files before it may have filled the worker's memory: it gets a worker of its own.
      else queue.putBack({ ...item, isSuspect: true });
    }
  }

  function endOverdue(): void {
    const now = performance.now();
    for (const batch of running) {
      const current = Atomics.load(batch.progress, 0);
      if (current !== batch.seenAt) {
        batch.seenAt = current;
        batch.seenMs = now;
        continue;
      }
      const allowedMs = current === 0 ? Math.max(startTimeoutMs, fileTimeoutMs) : fileTimeoutMs;
      if (current === -1 || now - batch.seenMs < allowedMs) continue;
      batch.isOverdue = current > 0;
      batch.stop.abort();
    }
  }

  /** No worker can be started: waiting would be for ever. */
  function failAll(error: unknown): void {
    pool = null;
    for (const item of queue.takeAll()) item.fail(workerError(error));
    for (const batch of running) batch.stop.abort();
  }

  return {
    read: (folder, names, signal) =>
      isClosed
        ? Promise.reject(closedError())
        : queue.add(
            names.map((name) => `${folder}/${name}`),
            signal,
            start,
          ),
    async readPicture(path) {
      if (isClosed) throw closedError();
      pool ??= openPool(settings, failAll);
      const signal = AbortSignal.timeout(startTimeoutMs + fileTimeoutMs);
      return await (await pool).run(path, { name: "picture", signal });
    },
    setConcurrency(concurrency) {
      limit = withinCores(concurrency);
      start();
    },
    async close() {
      if (isClosed) return;
      isClosed = true;
      for (const item of queue.takeAll()) item.fail(closedError());
      for (const batch of running) batch.stop.abort();
      const closing = pool;
      pool = null;
      if (closing !== null) await atMost(closeTimeoutMs, (await closing).destroy());
    },
  };
}

async function openPool(settings: TagReaderSettings, onError: (error: unknown) => void): Promise<Piscina> {
  const { Piscina } = await import("piscina");
  const pool = new Piscina({
    filename: (settings.workerUrl ?? defaultWorker()).href,
    minThreads: 0,
    maxThreads: availableParallelism(),
    idleTimeout: settings.idleTimeoutMs ?? 3000,
    resourceLimits: workerLimits,
    recordTiming: false,
  });
  pool.on("error", onError);
  return pool;
}

/** The source in a checkout, the compiled file in a package. */
function defaultWorker(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./tags-worker.${extension}`, import.meta.url);
}

function withinCores(concurrency: number): number {
  return Math.max(1, Math.min(Math.floor(concurrency), availableParallelism()));
}

async function atMost(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
