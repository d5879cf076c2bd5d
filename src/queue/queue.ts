import fastq from "fastq";
import {
  isEnded,
  type Operation,
  type OperationKind,
  type OperationRequest,
  type OperationRun,
  type Priority,
  priorities,
  type WaitingReason,
} from "../domain/operation.ts";
import type { Pauses, QueueSnapshot, RetryPolicy, WorkerLimits } from "../domain/queue.ts";
import { AppError, type ErrorRecord } from "../errors.ts";
import type { OperationStore } from "../store/ports.ts";
import { createEntry, type Entry, hasBegun, newOperation, renewed } from "./entry.ts";
import { isBefore, Line, orderKey } from "./line.ts";
import { Listeners } from "./listeners.ts";
import {
  alreadyEnded,
  cancelled,
  cancelledWith,
  completed,
  crashLoop,
  failed,
  interrupted,
  notFound,
  notRecorded,
  notRetryable,
  type Outcome,
  outcomeOfError,
  parked,
  refuseDependency,
  stoppedFirst,
  unknownKind,
  waitsForItself,
} from "./outcome.ts";
import type { Hold, OperationFilter, Queue, QueueListener } from "./port.ts";
import { Records } from "./records.ts";
import { mayPass, namedTimeMs, retryDelayMs } from "./retry.ts";
import { type Pressure, Scaling } from "./scaling.ts";
import { coversScopes } from "./scopes.ts";
import { takeSnapshot } from "./snapshot.ts";

/*
 * Long, because every change of an entry goes through one object: what can be told without its state (order, outcomes, records, scopes,
 * scaling) is in files of its own beside it, and what is left shares the entries, the pauses and the workers.
 */

interface QueueOptions {
  readonly store: OperationStore;
  /** What a person has paused, kept across restarts. */
  readonly pauses: { load(): Pauses; save(pauses: Pauses): Promise<void> };
  /** What runs each kind; a kind that is not here is refused. */
  readonly runs: Readonly<Partial<Record<OperationKind, OperationRun>>>;
  readonly workers: WorkerLimits;
  /** What of a kind's failures is tried again: only those that call themselves retryable. */
  readonly retry: Readonly<Partial<Record<OperationKind, RetryPolicy>>>;
  /** How far an operation has come by what is on the disk; a number that only rises as it does. */
  readonly progressOf: (operation: Operation) => number | Promise<number>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** 0 to 1. */
  readonly random: () => number;
  /** Answers with the function that takes it back. */
  readonly setTimer: (work: () => void, ms: number) => () => void;
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

/** An operation that was running at so many crashes in a row, without coming further, is not started again. */
const crashesAtMost = 3;
/** What names the time of its next try as now would otherwise go round at once. */
const shortestWaitMs = 1000;
/** setTimeout takes no more. */
const longestTimerMs = 2 ** 31 - 1;

/** Longer than the usual file because all of it works on one state; order, outcome and snapshot are beside it. */
class InProcessQueue implements Queue {
  readonly #options: QueueOptions;
  readonly #records: Records;
  /** Not durable yet. */
  readonly #arriving = new Set<Entry>();
  readonly #line: Line<Entry>;
  /** A token for each who became ready: a worker with a token runs the best one, whoever that is by then. */
  readonly #tokens: fastq.queueAsPromised<null, void>;
  readonly #scaling: Scaling;
  readonly #listeners = new Listeners();
  /** Who waits for the end of an operation, by its id. */
  readonly #waiters = new Map<string, Set<Entry>>();
  readonly #holds = new Map<string, Hold>();
  /** Those that wait for their next try. */
  readonly #retrying = new Set<Entry>();
  #cancelTimer: (() => void) | null = null;
  #pauses: Pauses;
  #pausesWritten: Promise<void> = Promise.resolve();
  #sequence = 0;
  #state: "new" | "running" | "stopped" = "new";
  #stopping: Promise<void> | null = null;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#records = new Records(options.store);
    this.#pauses = options.pauses.load();
    this.#line = new Line<Entry>({
      onMove: (entry) => this.#moved(entry),
      // Half a step of priority: who is more than that ahead has waited long, or matters more.
      fairMs: options.agingMs / 2,
    });
    this.#scaling = new Scaling(options.workers);
    this.#tokens = fastq.promise(() => this.#work(), this.#scaling.current);
    this.#tokens.pause();
  }

  async recover(): Promise<readonly Operation[]> {
    const unfinished = this.#options.store.unfinished();
    const entries = unfinished.map((found) =>
      this.#enter(found, hasBegun(found) ? Number.NEGATIVE_INFINITY : this.#keyOf(found), found.state),
    );
    for (const entry of entries) this.#records.unfinished.set(entry.operation.id, entry);
    await Promise.all(entries.map((entry) => this.#takeOver(entry)));
    for (const [at, entry] of entries.entries()) this.#await(entry, entries.slice(0, at));
    for (const entry of entries) {
      if (this.#waitsForItself(entry)) await this.#finish(entry, failed(waitsForItself(entry.operation)));
    }
    const kept = entries.filter((entry) => entry.ending === null);
    for (const entry of kept.sort((a, b) => (isBefore(a, b) ? -1 : 1))) this.#seat(entry);
    await Promise.all(entries.map((entry) => entry.ending));
    return kept.filter((entry) => entry.ending === null).map((entry) => entry.operation);
  }

  start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    this.#tokens.resume();
  }

  async enqueue(request: OperationRequest): Promise<Operation> {
    this.#refuseStopped();
    if (this.#options.runs[request.kind] === undefined) throw unknownKind(request.kind);
    const { after = [], afterAny = [] } = request;
    for (const id of after) refuseDependency(id, this.get(id), true);
    for (const id of afterAny) refuseDependency(id, this.get(id), false);
    const queued = this.#queuedScanFor(request);
    if (queued !== null) {
      await queued.written;
      await this.#promote(queued, request.priority);
      return queued.operation;
    }
    this.#refuseFull();
    const operation = newOperation(request, this.#options.newId(), this.#options.now());
    const entry = this.#enter(operation, this.#keyOf(operation), null);
    await this.#admit(entry);
    await this.#promoteAwaited(entry);
    await this.#mergeCovered(entry);
    return entry.operation;
  }

  async cancel(id: string): Promise<Operation> {
    const entry = this.#records.unfinished.get(id);
    if (entry === undefined) {
      const known = this.get(id);
      throw known === null ? notFound(id) : alreadyEnded(known);
    }
    if (this.#state === "stopped") throw stoppedFirst(id);
    entry.isUnwanted = true;
    if (entry.phase === "running") entry.controller?.abort("cancel");
    else if (entry.operation.isParked) this.#seat(entry);
    else await this.#finish(entry, cancelled);
    return await entry.end.promise;
  }

  async retry(id: string): Promise<Operation> {
    this.#refuseStopped();
    const waiting = this.#records.unfinished.get(id);
    if (waiting !== undefined) return await this.#retryNow(waiting);
    const known = this.get(id);
    if (known === null) throw notFound(id);
    if (known.state !== "failed" && known.state !== "cancelled") throw notRetryable(known);
    if (this.#options.runs[known.kind] === undefined) throw unknownKind(known.kind);
    this.#refuseFull();
    const operation = renewed(known);
    const key = orderKey(this.#options.now(), operation.priority, this.#options.agingMs);
    const entry = this.#enter(operation, key, known.state);
    await this.#admit(entry);
    return entry.operation;
  }

  async pause(kind?: OperationKind): Promise<void> {
    await this.#setPauses(({ all, kinds }) => ({
      all: all || kind === undefined,
      kinds: kind === undefined ? kinds : [...new Set([...kinds, kind])],
    }));
  }

  async resume(kind?: OperationKind): Promise<void> {
    await this.#setPauses(({ all, kinds }) => ({
      all: all && kind !== undefined,
      kinds: kind === undefined ? [] : kinds.filter((paused) => paused !== kind),
    }));
  }

  hold(name: string, hold: Hold | null): void {
    if (hold === null) this.#holds.delete(name);
    else this.#holds.set(name, hold);
    this.#reconsider();
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
      state: this.#state !== "running" ? "stopped" : this.#isAllPaused() ? "paused" : "running",
      pausedKinds: this.#pauses.kinds,
      entries: this.#records.unfinished.values(),
      storedCounts: this.#options.store.countByState(),
      workers: this.workers(),
      nowMs: this.#options.now(),
    });
  }

  workers(): QueueSnapshot["workers"] {
    return { ...this.#scaling.limits, current: this.#scaling.current };
  }

  setWorkers(limits: WorkerLimits): void {
    this.#scaling.setLimits(limits);
    this.#tokens.concurrency = this.#scaling.current;
  }

  setPressure(pressure: Pressure): void {
    this.#scaling.setPressure(pressure);
    this.#tokens.concurrency = this.#scaling.current;
  }

  scale(): void {
    const ready = this.#line.readyCount;
    this.#scaling.sample(this.#options.now(), { ready, running: this.#tokens.running() });
    this.#tokens.concurrency = this.#scaling.current;
  }

  async stop(options: { readonly graceMs: number }): Promise<void> {
    this.#stopping ??= this.#stop(options.graceMs);
    await this.#stopping;
  }

  async #stop(graceMs: number): Promise<void> {
    this.#state = "stopped";
    this.#cancelTimer?.();
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
      running
        .filter((entry) => entry.phase === "running")
        .map((entry) => this.#finish(entry, entry.isUnwanted ? cancelled : interrupted)),
    );
    await this.#pausesWritten.catch(() => {});
    await Promise.allSettled(
      [...this.#arriving, ...this.#records.unfinished.values()].map((entry) => entry.written),
    );
    for (const entry of this.#records.unfinished.values()) entry.end.reject(stoppedFirst(entry.operation.id));
  }

  /** A worker's turn with a token. It neither throws nor rejects: fastq would lose the slot. */
  async #work(): Promise<void> {
    // All that changes at once has changed then, so that the best of them is taken.
    await null;
    const entry = this.#state === "running" ? this.#line.take() : null;
    if (entry === null) return;
    const controller = new AbortController();
    entry.controller = controller;
    if (entry.isUnwanted) controller.abort("cancel");
    const { attempts, startedAt, isParked } = entry.operation;
    this.#update(entry, {
      state: "running",
      percent: isParked ? entry.operation.percent : null,
      // Going on is no further try.
      attempts: isParked ? attempts : attempts + 1,
      startedAt: startedAt ?? this.#timestamp(),
      retryAt: null,
      isParked: false,
    });
    const outcome = await this.#outcomeOf(entry, controller.signal, isParked);
    // The queue has stopped meanwhile and recorded how it stands.
    if (entry.ending !== null) return await entry.ending;
    if (outcome === parked) return await this.#setAside(entry, { isParked: true });
    const { error } = outcome;
    const retryAtMs = outcome.state === "failed" && !entry.isUnwanted ? this.#retryAtMs(entry, error) : null;
    if (retryAtMs === null || error === null) return await this.#finish(entry, outcome);
    const isWait = namedTimeMs(error) !== null;
    const { errors, attempts: tried } = entry.operation;
    await this.#setAside(entry, {
      // Of waits, which may be many, the last says it all; and to wait is not to have tried.
      errors: [...errors.filter((each) => !isWait || namedTimeMs(each) === null), error],
      attempts: isWait ? tried - 1 : tried,
      retryAt: new Date(retryAtMs).toISOString(),
    });
  }

  /** When it is tried again after that error; null where it is not. */
  #retryAtMs({ operation }: Entry, error: ErrorRecord | null): number | null {
    if (!mayPass(error)) return null;
    const now = this.#options.now();
    const named = namedTimeMs(error);
    if (named !== null) return Math.max(now + shortestWaitMs, named);
    const failures = operation.errors.filter((each) => namedTimeMs(each) === null).length + 1;
    const delayMs = retryDelayMs(this.#options.retry[operation.kind], failures, this.#options.random);
    return delayMs === null ? null : now + delayMs;
  }

  async #outcomeOf(entry: Entry, signal: AbortSignal, wasParked: boolean): Promise<Outcome | typeof parked> {
    try {
      const run = this.#options.runs[entry.operation.kind];
      if (run === undefined) throw unknownKind(entry.operation.kind);
      await this.#records.save(entry, entry.operation);
      if (!wasParked) signal.throwIfAborted();
      return completed(
        await run(entry.operation, { signal, report: (percent) => this.#report(entry, percent) }),
      );
    } catch (error) {
      return outcomeOfError(error, signal);
    }
  }

  /** Cheap enough for every file: the record changes, in memory, with each tenth of a percent. */
  #report(entry: Entry, percent: number | null): void {
    if (entry.ending !== null || entry.phase !== "running") return;
    const isKnown = percent !== null && !Number.isNaN(percent);
    const shown = isKnown ? Math.floor(Math.min(100, Math.max(0, percent)) * 10) / 10 : null;
    if (shown !== entry.operation.percent) this.#update(entry, { percent: shown });
  }

  /** Back into the line, from a run that did not end. */
  async #setAside(entry: Entry, change: Partial<Operation>): Promise<void> {
    const operation: Operation = { ...entry.operation, ...change, state: "waiting" };
    await this.#records.save(entry, operation).catch(() => {
      // Its record says that it runs, which the next start takes for interrupted.
    });
    if (entry.ending !== null) return await entry.ending;
    entry.controller = null;
    entry.keepsFolders = operation.isParked;
    if (operation.isParked) entry.key = Number.NEGATIVE_INFINITY;
    entry.reason = operation.isParked ? "paused" : "retry";
    entry.operation = operation;
    this.#line.hold(entry);
    this.#update(entry, {});
    if (this.#state === "stopped") entry.end.reject(stoppedFirst(operation.id));
    else this.#seat(entry);
  }

  async #finish(entry: Entry, outcome: Outcome): Promise<void> {
    entry.ending ??= this.#end(entry, outcome);
    await entry.ending;
  }

  /** Records how it came out, lets go of its folders and tells everybody. Never rejects. */
  async #end(entry: Entry, outcome: Outcome): Promise<void> {
    // One that runs keeps its folders until its record is safe; any other must not be taken by a worker now.
    if (entry.phase !== "running") this.#line.leave(entry);
    this.#retrying.delete(entry);
    const hasEnded = isEnded(outcome.state);
    let operation: Operation = {
      ...entry.operation,
      ...outcome,
      percent: outcome.state === "completed" ? 100 : entry.operation.percent,
      finishedAt: hasEnded ? this.#timestamp() : null,
      retryAt: null,
      isParked: false,
      crashes: outcome.state === "interrupted" ? 0 : entry.operation.crashes,
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
    this.#forgetAwaited(entry);
    if (hasEnded) this.#wakeWaiters(operation);
  }

  /** Makes what an earlier run left ours: it is stored as interrupted until it runs, to come first again. */
  async #takeOver(entry: Entry): Promise<void> {
    const { operation } = entry;
    if (this.#options.runs[operation.kind] === undefined) {
      await this.#finish(entry, failed(unknownKind(operation.kind)));
    } else if (operation.state === "running") {
      const crashedAt = await this.#options.progressOf(operation);
      const crashes = crashedAt > operation.crashedAt ? 1 : operation.crashes + 1;
      this.#update(entry, { state: "interrupted", crashes, crashedAt });
      if (crashes >= crashesAtMost) return await this.#finish(entry, crashLoop(entry.operation));
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

  /** Makes it durable and gives it a place; throws what the store throws, and then it never was. */
  async #admit(entry: Entry): Promise<void> {
    const earlier = entry.operation.kind === "organize" ? this.#line.inTheWayOf(entry) : [];
    this.#await(entry, earlier);
    this.#arriving.add(entry);
    try {
      await this.#records.save(entry, entry.operation);
    } catch (error) {
      this.#line.leave(entry);
      this.#forgetAwaited(entry);
      this.#wakeWaiters(entry.operation);
      throw error;
    } finally {
      this.#arriving.delete(entry);
    }
    this.#records.unfinished.set(entry.operation.id, entry);
    this.#seat(entry);
  }

  /** Notes what it waits for: what it was told to, and for an organize those scans of `earlier` that touch its folders. */
  #await(entry: Entry, earlier: Iterable<Entry>): void {
    const { id, kind, after, afterAny, mergedInto } = entry.operation;
    const ids = [...after, ...afterAny, ...(mergedInto === null ? [] : [mergedInto])];
    if (kind === "organize" && !hasBegun(entry.operation)) {
      const inTheWay = this.#line.inTheWayOf(entry);
      for (const other of earlier) {
        const isEarlierScan = other.operation.kind === "scan" && other.sequence < entry.sequence;
        if (isEarlierScan && inTheWay.has(other)) ids.push(other.operation.id);
      }
    }
    for (const awaited of ids) {
      if (awaited !== id && isEndedOrUnknown(this.get(awaited)) && !this.#isArriving(awaited)) continue;
      entry.waitsFor.add(awaited);
      this.#waiters.set(awaited, (this.#waiters.get(awaited) ?? new Set()).add(entry));
    }
  }

  #isArriving(id: string): boolean {
    for (const entry of this.#arriving) if (entry.operation.id === id) return true;
    return false;
  }

  #forgetAwaited(entry: Entry): void {
    for (const id of entry.waitsFor) this.#waiters.get(id)?.delete(entry);
    entry.waitsFor.clear();
  }

  #wakeWaiters(operation: Operation): void {
    const waiters = this.#waiters.get(operation.id) ?? new Set();
    this.#waiters.delete(operation.id);
    for (const waiter of waiters) {
      waiter.waitsFor.delete(operation.id);
      if (waiter.phase !== "arriving") this.#seat(waiter);
    }
  }

  #waitsForItself(entry: Entry): boolean {
    const seen = new Set<string>();
    const next = [...entry.waitsFor];
    for (let id = next.pop(); id !== undefined; id = next.pop()) {
      if (id === entry.operation.id) return true;
      if (seen.has(id)) continue;
      seen.add(id);
      next.push(...(this.#records.unfinished.get(id)?.waitsFor ?? []));
    }
    return false;
  }

  /** A scan that will do all that this one asks for. One that has begun would not look again at its first part. */
  #queuedScanFor(request: OperationRequest): Entry | null {
    const { kind, after = [], afterAny = [], input } = request;
    if (kind !== "scan" || after.length + afterAny.length > 0) return null;
    for (const entry of this.#line.covering(request.scopes)) {
      if (!isQueuedScan(entry)) continue;
      if (entry.operation.input["force"] === true || input["force"] !== true) return entry;
    }
    return null;
  }

  /** Scans that this one makes needless wait for it and end as it does. */
  async #mergeCovered(entry: Entry): Promise<void> {
    const { id, kind, scopes, after, afterAny, input } = entry.operation;
    if (kind !== "scan" || after.length + afterAny.length > 0) return;
    for (const other of this.#line.inTheWayOf(entry)) {
      const { operation } = other;
      if (other === entry || !isQueuedScan(other) || !this.#records.unfinished.has(operation.id)) continue;
      if (operation.after.length + operation.afterAny.length > 0) continue;
      if (input["force"] !== true && operation.input["force"] === true) continue;
      if (!coversScopes(scopes, operation.scopes) || entry.ending !== null) continue;
      other.waitsFor.add(id);
      this.#waiters.set(id, (this.#waiters.get(id) ?? new Set()).add(other));
      this.#update(other, { mergedInto: id });
      this.#seat(other);
      // It comes no later than the one whose work it does.
      entry.key = Math.min(entry.key, other.key);
      if (entry.phase === "ready" || entry.phase === "blocked") this.#line.place(entry);
      await this.#promote(entry, operation.priority);
      await this.#records.save(other, other.operation).catch(() => {
        // After a restart it is scanned by itself.
      });
    }
  }

  /** What somebody waits for matters as much as the one who waits. */
  async #promoteAwaited(entry: Entry): Promise<void> {
    for (const id of entry.waitsFor) {
      const awaited = this.#records.unfinished.get(id);
      if (awaited !== undefined) await this.#promote(awaited, entry.operation.priority);
    }
  }

  async #promote(entry: Entry, priority: Priority): Promise<void> {
    const isHigher = priorities.indexOf(priority) > priorities.indexOf(entry.operation.priority);
    const isWaiting = entry.phase === "ready" || entry.phase === "blocked" || entry.phase === "held";
    if (!isHigher || !isWaiting || entry.ending !== null) return;
    this.#update(entry, { priority });
    entry.key = Math.min(entry.key, this.#keyOf(entry.operation));
    this.#seat(entry);
    await this.#records.save(entry, entry.operation);
    await this.#promoteAwaited(entry);
  }

  async #retryNow(entry: Entry): Promise<Operation> {
    if (entry.operation.retryAt === null || entry.phase === "running") throw notRetryable(entry.operation);
    this.#update(entry, { retryAt: null });
    this.#seat(entry);
    await this.#records.save(entry, entry.operation);
    return entry.operation;
  }

  /** Gives one that does not run its place: among those that could, or aside with the reason, or its end. */
  #seat(entry: Entry): void {
    if (entry.ending !== null || entry.phase === "running" || entry.phase === "gone") return;
    this.#retrying.delete(entry);
    const end = entry.isUnwanted ? null : this.#endOfAwaited(entry);
    if (end !== null) {
      void this.#finish(entry, end);
      return;
    }
    const reason = entry.isUnwanted ? null : this.#reasonToHold(entry);
    if (reason === null) {
      this.#line.place(entry);
      return;
    }
    const isNews = entry.reason !== reason || entry.told !== "waiting";
    entry.reason = reason;
    if (entry.phase !== "held") this.#line.hold(entry);
    if (isNews) this.#update(entry, { state: "waiting" });
    if (reason === "retry") {
      this.#retrying.add(entry);
      this.#armTimer();
    }
  }

  #reasonToHold({ operation, waitsFor }: Entry): WaitingReason | null {
    if (this.#isPaused(operation)) return "paused";
    if (waitsFor.size > 0) return isToldToWait(operation, waitsFor) ? "dependency" : "scope_busy";
    if (operation.retryAt !== null && Date.parse(operation.retryAt) > this.#options.now()) return "retry";
    return null;
  }

  /** How it ends without having run, where that is decided by now. */
  #endOfAwaited(entry: Entry): Outcome | null {
    const { after, mergedInto } = entry.operation;
    for (const id of after) {
      if (entry.waitsFor.has(id)) continue;
      const awaited = this.get(id);
      if (awaited?.state !== "completed") return cancelledWith(awaited ?? id);
    }
    if (mergedInto === null || entry.waitsFor.has(mergedInto)) return null;
    const into = this.get(mergedInto);
    if (into?.state === "completed" || into?.state === "failed") {
      return { state: into.state, error: into.error, summary: into.summary };
    }
    // Nobody has cancelled this one: it is scanned by itself.
    this.#update(entry, { mergedInto: null });
    return null;
  }

  #isPaused(operation: Operation): boolean {
    if (this.#isAllPaused() || this.#pauses.kinds.includes(operation.kind)) return true;
    for (const hold of this.#holds.values()) if (hold !== "all" && hold(operation)) return true;
    return false;
  }

  #isAllPaused(): boolean {
    return this.#pauses.all || [...this.#holds.values()].includes("all");
  }

  /** In turn: two that change it at once must not lose one another's change. */
  #setPauses(change: (pauses: Pauses) => Pauses): Promise<void> {
    const set = async (): Promise<void> => {
      const pauses = change(this.#pauses);
      await this.#options.pauses.save(pauses);
      this.#pauses = pauses;
      this.#reconsider();
    };
    this.#pausesWritten = this.#pausesWritten.then(set, set);
    return this.#pausesWritten;
  }

  /** Something that holds operations back has changed. */
  #reconsider(): void {
    if (this.#state === "stopped") return;
    const entries = [...this.#records.unfinished.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1));
    // The last first: whoever is set aside has nobody behind it then who would have to be placed anew.
    for (const entry of entries.toReversed()) {
      const isHeld = this.#isPaused(entry.operation);
      if (isHeld && entry.phase === "running") entry.controller?.abort("pause");
      else if (isHeld) this.#seat(entry);
    }
    for (const entry of entries) if (entry.phase === "held") this.#seat(entry);
  }

  /** One timer, for the first of those that wait for their next try. */
  #armTimer(): void {
    this.#cancelTimer?.();
    const dues = [...this.#retrying].map(({ operation }) => Date.parse(operation.retryAt ?? ""));
    if (dues.length === 0) return;
    const ms = Math.max(0, Math.min(...dues) - this.#options.now());
    this.#cancelTimer = this.#options.setTimer(() => this.#retryDue(), Math.min(ms, longestTimerMs));
  }

  #retryDue(): void {
    this.#cancelTimer = null;
    if (this.#state === "stopped") return;
    // Those that are not due yet come back to the set, and the timer with them.
    for (const entry of [...this.#retrying]) this.#seat(entry);
  }

  #refuseStopped(): void {
    if (this.#state !== "stopped") return;
    throw new AppError("busy", "The runner is stopping: try again when it is back", { retryable: true });
  }

  #refuseFull(): void {
    const { limit } = this.#options;
    if (this.#records.unfinished.size + this.#arriving.size < limit) return;
    throw new AppError("queue_full", `${limit} operations are waiting already: try again later`, {
      retryable: true,
      details: { limit },
    });
  }

  /** The line has given it a place: its state follows, and a worker is asked for where it is ready. */
  #moved(entry: Entry): void {
    entry.reason = entry.phase === "ready" ? "no_worker" : "scope_busy";
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

/** Waiting, and not for another scan to do its work. */
function isQueuedScan({ operation, ending, phase }: Entry): boolean {
  const isHere = phase !== "running" && phase !== "gone" && ending === null;
  return isHere && operation.kind === "scan" && operation.attempts === 0 && operation.mergedInto === null;
}

/** Not only because of scans of its folders that were asked for before it. */
function isToldToWait({ after, afterAny, mergedInto }: Operation, waitsFor: ReadonlySet<string>): boolean {
  return [...after, ...afterAny, mergedInto].some((id) => id !== null && waitsFor.has(id));
}

function isEndedOrUnknown(operation: Operation | null): boolean {
  return operation === null || isEnded(operation.state);
}

async function settledWithin(promises: readonly Promise<unknown>[], timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([Promise.allSettled(promises), timeout]);
  clearTimeout(timer);
}
