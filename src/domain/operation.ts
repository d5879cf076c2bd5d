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
  /** What its `run` needs, JSON. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The transaction of the command that asked for it, if one did. */
  readonly transaction: string | null;
}

export interface Operation extends OperationRequest {
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
  readonly summary: Readonly<Record<string, unknown>> | null;
}

export function isEnded(state: OperationState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}

/** What a running operation is given by the queue. */
export interface OperationContext {
  /** Aborted when the operation is cancelled (`reason` is `'cancel'`) or the runner stops (`'shutdown'`). */
  readonly signal: AbortSignal;
  /** Says how far it is; null while unknown. Cheap: may be called for every file. */
  readonly report: (percent: number | null) => void;
}

/** Runs one kind of operation. Resolves with the summary that stands in its record; a throw fails it. */
export type OperationRun = (
  operation: Operation,
  context: OperationContext,
) => Promise<Readonly<Record<string, unknown>>>;
