import type { Operation, OperationRequest, OperationState } from "../domain/operation.ts";
import type { QueueSnapshot } from "../domain/queue.ts";

/**
 * Told of every change of an operation: `previous` is null for a new one, and equal to its state where only
 * the percent moved on. It runs inside the queue, so it must be quick and must not throw.
 */
export type QueueListener = (operation: Operation, previous: OperationState | null) => void;

export interface OperationFilter {
  readonly state?: OperationState;
  readonly limit: number;
  readonly offset: number;
}

/**
 * Runs operations: best first by priority and age, never two at once whose scopes overlap, every one of them
 * stored before it is acknowledged.
 */
export interface Queue {
  /**
   * Takes over what an earlier run left unfinished, before `start` and before any `enqueue`: those that were
   * running first of all, then the others in their order, all under their own ids. Answers with them.
   */
  recover(): Promise<readonly Operation[]>;
  /** Begins to run operations. */
  start(): void;
  /**
   * Resolves once the operation is durable. A scan that a queued one covers is not queued again: the queued
   * one is the answer. Throws `queue_full` beyond the limit, `busy` while stopping, `invalid_payload` for a
   * kind that nothing runs, and what the store throws.
   */
  enqueue(request: OperationRequest): Promise<Operation>;
  /**
   * Ends an operation, and resolves with it when it has ended: at once where it has not started, else at its
   * next safe point, which may come so late that it completes. Throws `not_found`, or `conflict` for one that
   * has ended before.
   */
  cancel(id: string): Promise<Operation>;
  get(id: string): Operation | null;
  /** Newest first. */
  list(filter: OperationFilter): { readonly items: readonly Operation[]; readonly total: number };
  /** Resolves with the operation when it has ended. Throws `not_found`, and `busy` if the queue stops first. */
  ended(id: string): Promise<Operation>;
  /** Answers with the function that takes the listener away. */
  onChange(listener: QueueListener): () => void;
  /** Costs time in proportion to the number of unfinished operations: for a throttled publisher. */
  snapshot(): QueueSnapshot;
  /** How many operations run at once; a smaller number takes effect as running ones end. Throws below 1. */
  setConcurrency(concurrency: number): void;
  /**
   * Starts nothing any more, signals what runs with the reason `shutdown` and waits for it up to `graceMs`.
   * What has not ended by then is `interrupted` and goes on at the next `recover`.
   */
  stop(options: { readonly graceMs: number }): Promise<void>;
}
