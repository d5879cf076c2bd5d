import type { OperationKind, OperationState, Priority, WaitingReason } from "./operation.ts";

/** What the queue topic says, in our spelling. */
export interface QueueSnapshot {
  readonly state: "running" | "paused" | "stopped";
  /** Kinds that are paused by themselves. */
  readonly pausedKinds: readonly OperationKind[];
  /** All that are known: the ended ones are those that the store still keeps. */
  readonly counts: Readonly<Record<OperationState, number>>;
  /** Of those that have not ended. */
  readonly byPriority: Readonly<Record<Priority, number>>;
  readonly workers: { readonly current: number; readonly min: number; readonly max: number };
  /** How long the oldest one that is not running has been waiting; 0 where none is. */
  readonly oldestWaitSeconds: number;
  readonly running: readonly RunningOperation[];
  /** The first 20 in the order in which they are to run. */
  readonly waiting: readonly WaitingOperation[];
}

interface RunningOperation {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly scope: string;
  readonly percent: number | null;
}

interface WaitingOperation {
  readonly operationId: string;
  readonly kind: OperationKind;
  readonly scope: string;
  readonly reason: WaitingReason;
  /** RFC 3339, of those that wait to be tried again. */
  readonly retryAt: string | null;
  /** Ids of operations that it waits for, of those that wait for any. */
  readonly waitsFor: readonly string[];
}

/** What a person has paused. */
export interface Pauses {
  readonly all: boolean;
  readonly kinds: readonly OperationKind[];
}

/** How many operations run at once. */
export interface WorkerLimits {
  /** Also what is kept when there is little to do. */
  readonly min: number;
  readonly max: number;
}

/** When a kind of operation is tried again. */
export interface RetryPolicy {
  /** All tries together; 1 is no second one. */
  readonly attempts: number;
  /** Before the second try; doubled with each further one. */
  readonly baseMs: number;
  readonly maxMs: number;
}
