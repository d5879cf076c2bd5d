import type { OperationKind, OperationState, Priority, WaitingReason } from "./operation.ts";

/** What the queue topic says, in our spelling. */
export interface QueueSnapshot {
  readonly state: "running" | "paused" | "stopped";
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
}
