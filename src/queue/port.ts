import type { Operation, OperationKind, OperationRequest, OperationState } from "../domain/operation.ts";
import type { QueueSnapshot, WorkerLimits } from "../domain/queue.ts";
import type { Pressure } from "./scaling.ts";

/**
 * Told of every change of an operation: `previous` is null for a new one, and equal to its state where only
 * the percent moved on. It runs inside the queue, so it must be quick and must not throw.
 */
export type QueueListener = (operation: Operation, previous: OperationState | null) => void;

/** What is held back: everything, or what the function says yes to. */
export type Hold = "all" | ((operation: Operation) => boolean);

export interface OperationFilter {
  readonly state?: OperationState;
  readonly limit: number;
  readonly offset: number;
}

/**
 * Runs operations: best first by priority and age and in turn between roots, never two at once whose scopes overlap
 * unless both only read there, every one of them stored before it is acknowledged.
 */
export interface Queue {
  /**
   * Takes over what an earlier run left unfinished, before `start` and before any `enqueue`: those that were
   * running first of all, then the others in their order, all under their own ids. Answers with them. One that was
   * running at three crashes in a row without coming any further has failed.
   */
  recover(): Promise<readonly Operation[]>;
  /** Begins to run operations. */
  start(): void;
  /**
   * Resolves once the operation is durable. A scan that a queued one covers is not queued again: the queued
   * one is the answer; queued ones that it covers end as it does. An organize waits for every scan of its folders that
   * was asked for before it. Throws `queue_full` beyond the limit, `busy` while stopping, `invalid_payload` for a
   * kind that nothing runs, `not_found` and `conflict` for what it is to come after, and what the store throws.
   */
  enqueue(request: OperationRequest): Promise<Operation>;
  /**
   * Ends an operation, and resolves with it when it has ended: at once where it has not started, else at its
   * next safe point, which may come so late that it completes. Throws `not_found`, or `conflict` for one that
   * has ended before.
   */
  cancel(id: string): Promise<Operation>;
  /**
   * Tries again what has failed or was cancelled, under its own id and with its errors kept, or now what waits for its
   * next try. Throws `not_found`, `conflict` for any other, `queue_full` and `busy` as `enqueue`.
   */
  retry(id: string): Promise<Operation>;
  /**
   * Starts nothing of the kind, or nothing at all, until `resume`, across restarts too; what runs parks at its next
   * safe point. Resolves when that is durable, throws what the store throws.
   */
  pause(kind?: OperationKind): Promise<void>;
  /** Takes back a pause: of the kind, or every one. */
  resume(kind?: OperationKind): Promise<void>;
  /** A pause that somebody else answers for and that is not kept. One per name; null takes it away. */
  hold(name: string, hold: Hold | null): void;
  get(id: string): Operation | null;
  /** Newest first. */
  list(filter: OperationFilter): { readonly items: readonly Operation[]; readonly total: number };
  /** Resolves with the operation when it has ended. Throws `not_found`, and `busy` if the queue stops first. */
  ended(id: string): Promise<Operation>;
  /** Answers with the function that takes the listener away. */
  onChange(listener: QueueListener): () => void;
  /** How many operations may run at once, now and at the most. */
  workers(): QueueSnapshot["workers"];
  /** Costs time in proportion to the number of unfinished operations: for a throttled publisher. */
  snapshot(): QueueSnapshot;
  /** How many operations run at once; a smaller number takes effect as running ones end. Throws below 1. */
  setWorkers(limits: WorkerLimits): void;
  setPressure(pressure: Pressure): void;
  /** To be called about every second: adds a worker where the backlog stays, and lets them go when it is gone. */
  scale(): void;
  /**
   * Starts nothing any more, signals what runs with the reason `shutdown` and waits for it up to `graceMs`.
   * What has not ended by then is `interrupted` and goes on at the next `recover`.
   */
  stop(options: { readonly graceMs: number }): Promise<void>;
}
