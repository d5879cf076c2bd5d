import fastq from "fastq";
import {
  isEnded,
  type Operation,
  type OperationKind,
  type OperationRequest,
  type OperationRun,
  priorities,
} from "../domain/operation.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import { AppError } from "../errors.ts";
import type { OperationStore } from "../store/ports.ts";
import { createEntry, type Entry, hasBegun, newOperation } from "./entry.ts";
import { Line, orderKey } from "./line.ts";
import { Listeners } from "./listeners.ts";
import {
  alreadyEnded,
  cancelled,
  completed,
  failed,
  interrupted,
  notFound,
  notRecorded,
  type Outcome,
  outcomeOfError,
  stoppedFirst,
  unknownKind,
} from "./outcome.ts";
import type { OperationFilter, Queue, QueueListener } from "./port.ts";
import { Records } from "./records.ts";
import { takeSnapshot } from "./snapshot.ts";

interface QueueOptions {
  readonly store: OperationStore;
  /** What runs each kind; a kind that is not here is refused. */
  readonly runs: Readonly<Partial<Record<OperationKind, OperationRun>>>;
  /** How many operations run at once, 1 or more. */
  readonly concurrency: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly newId: () => string;
  /** How much waiting makes up for one step of priority. */
  readonly agingMs: number;
  /** The most operations that may be unfinished at once. */
  readonly limit: number;
}

/** The queue of one process: fastq runs the workers, the line says who is next. */
export function createQueue(options: QueueOptions): Queue {
  return new InProcessQueue(options);
}

/** Longer than the usual file because all of it works on one state; order, outcome and snapshot are beside it. */
class InProcessQueue implements Queue {
  readonly #options: QueueOptions;
  readonly #records: Records;
  /** Not durable yet. */
  readonly #arriving = new Set<Entry>();
  readonly #line = new Line<Entry>((entry) => this.#moved(entry));
  /** A token for each who became ready: a worker with a token runs the best one, whoever that is by then. */
  readonly #tokens: fastq.queueAsPromised<null, void>;
  readonly #listeners = new Listeners();
  #sequence = 0;
  #state: "new" | "running" | "stopped" = "new";
  #stopping: Promise<void> | null = null;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#records = new Records(options.store);
    this.#tokens = fastq.promise(() => this.#work(), checkedConcurrency(options.concurrency));
    this.#tokens.pause();
  }

  async recover(): Promise<readonly Operation[]> {
    const unfinished = this.#options.store.unfinished();
    const entries = [
      ...unfinished
        .filter(hasBegun)
        .map((found) => this.#enter(found, Number.NEGATIVE_INFINITY, found.state)),
      ...unfinished
        .filter((found) => !hasBegun(found))
        .map((found) => this.#enter(found, this.#keyOf(found), found.state)),
    ];
    for (const entry of entries) this.#records.unfinished.set(entry.operation.id, entry);
    await Promise.all(entries.map((entry) => this.#takeOver(entry)));
    for (const entry of entries) if (entry.ending === null) this.#line.place(entry);
    return entries.filter((entry) => entry.ending === null).map((entry) => entry.operation);
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    this.#tokens.resume();
  }

  async enqueue(request: OperationRequest): Promise<Operation> {
    if (this.#state === "stopped") {
      throw new AppError("busy", "The runner is stopping: try again when it is back", { retryable: true });
    }
    if (this.#options.runs[request.kind] === undefined) throw unknownKind(request.kind);
    const queued = this.#queuedScanFor(request);
    if (queued !== null) return await this.#join(queued, request);
    const { limit } = this.#options;
    if (this.#records.unfinished.size + this.#arriving.size >= limit) {
      throw new AppError("queue_full", `${limit} operations are waiting already: try again later`, {
        retryable: true,
        details: { limit },
      });
    }
    const operation = newOperation(request, this.#options.newId(), this.#options.now());
    const entry = this.#enter(operation, this.#keyOf(operation), null);
    this.#arriving.add(entry);
    try {
      await this.#records.save(entry, operation);
    } catch (error) {
      this.#line.leave(entry);
      throw error;
    } finally {
      this.#arriving.delete(entry);
    }
    this.#records.unfinished.set(operation.id, entry);
    this.#line.place(entry);
    return entry.operation;
  }

  async cancel(id: string): Promise<Operation> {
    const entry = this.#records.unfinished.get(id);
    if (entry === undefined) {
      const known = this.get(id);
      throw known === null ? notFound(id) : alreadyEnded(known);
    }
    if (this.#state === "stopped") throw stoppedFirst(id);
    if (entry.phase === "running") entry.controller?.abort("cancel");
    else await this.#finish(entry, cancelled);
    return await entry.end.promise;
  }

  get(id: string): Operation | null {
    return this.#records.get(id);
  }

  list(filter: OperationFilter): { readonly items: readonly Operation[]; readonly total: number } {
    return this.#records.list(filter);
  }

  async ended(id: string): Promise<Operation> {
    const entry = this.#records.unfinished.get(id);
    if (entry !== undefined) return await entry.end.promise;
    const operation = this.get(id);
    if (operation === null) throw notFound(id);
    return operation;
  }

  onChange(listener: QueueListener): () => void {
    return this.#listeners.add(listener);
  }

  snapshot(): QueueSnapshot {
    return takeSnapshot({
      isRunning: this.#state === "running",
      entries: this.#records.unfinished.values(),
      storedCounts: this.#options.store.countByState(),
      workers: this.#tokens.concurrency,
      nowMs: this.#options.now(),
    });
  }

  setConcurrency(concurrency: number): void {
    this.#tokens.concurrency = checkedConcurrency(concurrency);
  }

  async stop(options: { readonly graceMs: number }): Promise<void> {
    this.#stopping ??= this.#stop(options.graceMs);
    await this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#state = "stopped";
    this.#tokens.pause();
    this.#tokens.abort();
    const running = [...this.#records.unfinished.values()].filter((entry) => entry.phase === "running");
    for (const entry of running) entry.controller?.abort("shutdown");
    await settledWithin(
      running.map((entry) => entry.end.promise),
      graceMs,
    );
    // Whoever still runs has had its time: its record says how it stands, and its own end changes nothing.
    await Promise.all(
      running.map((entry) =>
        this.#finish(entry, entry.controller?.signal.reason === "cancel" ? cancelled : interrupted),
      ),
    );
    await Promise.allSettled(
      [...this.#arriving, ...this.#records.unfinished.values()].map((entry) => entry.written),
    );
    for (const entry of this.#records.unfinished.values()) entry.end.reject(stoppedFirst(entry.operation.id));
  }

  /** A worker's turn with a token. It neither throws nor rejects: fastq would lose the slot. */
  async #work(): Promise<void> {
    const entry = this.#line.take();
    if (entry === null) return;
    const controller = new AbortController();
    entry.controller = controller;
    const { attempts, startedAt } = entry.operation;
    this.#update(entry, {
      state: "running",
      percent: null,
      attempts: attempts + 1,
      startedAt: startedAt ?? this.#timestamp(),
    });
    await this.#finish(entry, await this.#outcomeOf(entry, controller.signal));
  }

  async #outcomeOf(entry: Entry, signal: AbortSignal): Promise<Outcome> {
    try {
      const run = this.#options.runs[entry.operation.kind];
      if (run === undefined) throw unknownKind(entry.operation.kind);
      await this.#records.save(entry, entry.operation);
      signal.throwIfAborted();
      return completed(
        await run(entry.operation, { signal, report: (percent) => this.#report(entry, percent) }),
      );
    } catch (error) {
      return outcomeOfError(error, signal);
    }
  }

  /** Cheap enough for every file: the record changes, in memory, with each tenth of a percent. */
  #report(entry: Entry, percent: number | null): void {
    if (entry.ending !== null) return;
    const isKnown = percent !== null && !Number.isNaN(percent);
    const shown = isKnown ? Math.floor(Math.min(100, Math.max(0, percent)) * 10) / 10 : null;
    if (shown !== entry.operation.percent) this.#update(entry, { percent: shown });
  }

  async #finish(entry: Entry, outcome: Outcome): Promise<void> {
    entry.ending ??= this.#end(entry, outcome);
    await entry.ending;
  }

  /** Records how it came out, lets go of its folders and tells everybody. Never rejects. */
  async #end(entry: Entry, outcome: Outcome): Promise<void> {
    // One that runs keeps its folders until its record is safe; any other must not be taken by a worker now.
    if (entry.phase !== "running") this.#line.leave(entry);
    const hasEnded = isEnded(outcome.state);
    let operation: Operation = {
      ...entry.operation,
      ...outcome,
      percent: outcome.state === "completed" ? 100 : entry.operation.percent,
      finishedAt: hasEnded ? this.#timestamp() : null,
    };
    try {
      await this.#records.save(entry, operation);
    } catch (error) {
      operation = { ...operation, ...(hasEnded ? notRecorded(operation, error) : {}) };
      this.#records.keep(operation);
    }
    if (hasEnded) {
      this.#records.unfinished.delete(operation.id);
      entry.end.resolve(operation);
    } else {
      entry.end.reject(stoppedFirst(operation.id));
    }
    this.#update(entry, operation);
    if (entry.phase !== "gone") this.#line.leave(entry);
  }

  /** Makes what an earlier run left ours: it is stored as interrupted until it runs, to come first again. */
  async #takeOver(entry: Entry): Promise<void> {
    if (this.#options.runs[entry.operation.kind] === undefined) {
      await this.#finish(entry, failed(unknownKind(entry.operation.kind)));
    } else if (entry.operation.state === "running") {
      this.#update(entry, { state: "interrupted" });
      await this.#records.save(entry, entry.operation).catch(() => {
        // Its record goes on saying that it runs, which the next start takes for the same.
      });
    }
  }

  #enter(operation: Operation, key: number, told: Operation["state"] | null): Entry {
    const entry = createEntry(operation, { key, sequence: this.#sequence++ }, told);
    this.#line.add(entry);
    return entry;
  }

  /** A scan that will do all that this one asks for. One that has begun would not look again at its first part. */
  #queuedScanFor(request: OperationRequest): Entry | null {
    if (request.kind !== "scan") return null;
    for (const entry of this.#line.covering(request.scopes)) {
      const { kind, attempts, input } = entry.operation;
      if (kind !== "scan" || attempts > 0) continue;
      if (input["force"] === true || request.input["force"] !== true) return entry;
    }
    return null;
  }

  async #join(entry: Entry, request: OperationRequest): Promise<Operation> {
    await entry.written;
    const isHigher = priorities.indexOf(request.priority) > priorities.indexOf(entry.operation.priority);
    const isWaiting = entry.phase === "ready" || entry.phase === "blocked";
    if (!isHigher || !isWaiting) return entry.operation;
    this.#update(entry, { priority: request.priority });
    entry.key = this.#keyOf(entry.operation);
    this.#line.place(entry);
    await this.#records.save(entry, entry.operation);
    return entry.operation;
  }

  /** The line has given it a place: its state follows, and a worker is asked for where it is ready. */
  #moved(entry: Entry): void {
    const state = entry.phase === "ready" ? "queued" : "waiting";
    if (entry.told !== state) this.#update(entry, { state });
    if (entry.phase === "ready" && this.#state !== "stopped") void this.#tokens.push(null);
  }

  #update(entry: Entry, change: Partial<Operation>): void {
    const operation = { ...entry.operation, ...change };
    const previous = entry.told;
    entry.operation = operation;
    entry.told = operation.state;
    this.#listeners.tell(operation, previous);
  }

  #keyOf(operation: Operation): number {
    return orderKey(Date.parse(operation.createdAt), operation.priority, this.#options.agingMs);
  }

  #timestamp(): string {
    return new Date(this.#options.now()).toISOString();
  }
}

function checkedConcurrency(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency;
  throw new AppError(
    "invalid_payload",
    `${concurrency} operations at once: it must be a whole number above 0`,
  );
}

async function settledWithin(promises: readonly Promise<unknown>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.allSettled(promises), timeout]);
  clearTimeout(timer);
}
