import type { ErrorRecord } from "../errors.ts";

export const operationKinds = ["scan", "organize", "undo", "fetch", "verify", "size"] as const;
export type OperationKind = (typeof operationKinds)[number];

export const priorities = ["low", "normal", "high"] as const;
export type Priority = (typeof priorities)[number];

export const operationStates = [
  "queued",
  "waiting",
  "running",
  "completed",
  "failed",
  "cancelled",
  "interrupted",
] as const;
/**
 * `queued` could run now, `waiting` could not (`reason`), `interrupted` was running when the runner stopped
 * and goes on under its own id at the next start; the rest is as it reads.
 */
export type OperationState = (typeof operationStates)[number];

export type WaitingReason = "scope_busy" | "dependency" | "retry" | "paused" | "no_worker";

/** Work that has been asked for. */
export interface OperationRequest {
  readonly kind: OperationKind;
  readonly priority: Priority;
  /** `root:/path/from/root`, all that it touches; the first is the one that is shown. */
  readonly scopes: readonly string[];
  /** Those of `scopes` that it only reads: others may read them at the same time. */
  readonly reads?: readonly string[];
  /** Ids of operations that must have completed first; where one fails or is cancelled, this one is cancelled too. */
  readonly after?: readonly string[];
  /** Ids of operations that must have ended first, however they end. */
  readonly afterAny?: readonly string[];
  /** What its `run` needs, JSON. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The transaction of the command that asked for it, if one did. */
  readonly transaction: string | null;
}

export interface Operation extends Required<OperationRequest> {
  /** UUID. */
  readonly id: string;
  readonly state: OperationState;
  /** 0 to 100, null while the total is unknown. */
  readonly percent: number | null;
  readonly attempts: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly error: ErrorRecord | null;
  /** How earlier attempts failed, oldest first. */
  readonly errors: readonly ErrorRecord[];
  /** RFC 3339: not before then it is tried again; null where it does not wait for that. */
  readonly retryAt: string | null;
  /** It was paused in the middle and goes on from there. */
  readonly isParked: boolean;
  /** Crashes of the runner in a row in which it was running and had not come any further. */
  readonly crashes: number;
  /** How far it was at the last crash, in the units of its kind. */
  readonly crashedAt: number;
  /** The scan that does its work too: it ends as that one does. */
  readonly mergedInto: string | null;
  readonly summary: Readonly<Record<string, unknown>> | null;
}

export function isEnded(state: OperationState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

/** What a running operation is given by the queue. */
export interface OperationContext {
  /**
   * Aborted when the operation is cancelled (`reason` is `'cancel'`), is to park (`'pause'`) or the runner stops
   * (`'shutdown'`). One that was parked may be run with a signal that is aborted already: to take back what it has.
   */
  readonly signal: AbortSignal;
  /** Says how far it is; null while unknown. Cheap: may be called for every file. */
  readonly report: (percent: number | null) => void;
}

/** Runs one kind of operation. Resolves with the summary that stands in its record; a throw fails it. */
export type OperationRun = (
  operation: Operation,
  context: OperationContext,
) => Promise<Readonly<Record<string, unknown>>>;

/** Whether what was aborted for this reason goes on later: it keeps what it has done. */
export function isForNow(reason: unknown): boolean {
  return reason === "pause" || reason === "shutdown";
}
