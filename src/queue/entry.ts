import type { Operation, OperationRequest, OperationState, WaitingReason } from "../domain/operation.ts";
import type { Member } from "./line.ts";

/** An operation that has not ended. Its record changes as a whole, so that what was handed out never does. */
export interface Entry extends Member {
  operation: Operation;
  /** The state that listeners know of. */
  told: OperationState | null;
  /** Why it waits, where it does. */
  reason: WaitingReason;
  /** Ids of unfinished operations that must end before it. */
  readonly waitsFor: Set<string>;
  /** Stops its run; null while it does not run. */
  controller: AbortController | null;
  /** Somebody wants it ended: where it is parked, its run takes back what it has done. */
  isUnwanted: boolean;
  /** Its latest write: the writes of one operation follow each other. */
  written: Promise<void>;
  /** Set once its end is being recorded: it ends one way only. */
  ending: Promise<void> | null;
  /** Resolved when it has ended, rejected when the queue stops first. */
  readonly end: PromiseWithResolvers<Operation>;
}

export function createEntry(
  operation: Operation,
  place: Pick<Member, "key" | "sequence">,
  told: OperationState | null,
): Entry {
  const end = Promise.withResolvers<Operation>();
  // Often nobody waits for it.
  end.promise.catch(() => {});
  return {
    ...place,
    scopes: operation.scopes,
    reads: operation.reads,
    phase: "arriving",
    keepsFolders: hasBegun(operation),
    operation,
    told,
    reason: "no_worker",
    waitsFor: new Set(),
    controller: null,
    isUnwanted: false,
    written: Promise.resolve(),
    ending: null,
    end,
  };
}

export function newOperation(request: OperationRequest, id: string, nowMs: number): Operation {
  return {
    reads: [],
    after: [],
    afterAny: [],
    ...request,
    id,
    state: "queued",
    percent: null,
    attempts: 0,
    createdAt: new Date(nowMs).toISOString(),
    startedAt: null,
    finishedAt: null,
    error: null,
    errors: [],
    retryAt: null,
    isParked: false,
    crashes: 0,
    crashedAt: 0,
    mergedInto: null,
    summary: null,
  };
}

/** What an operation is that has failed or was cancelled and is asked for once more. */
export function renewed(operation: Operation): Operation {
  const { error, errors } = operation;
  return {
    ...operation,
    state: "queued",
    finishedAt: null,
    error: null,
    errors: error === null ? errors : [...errors, error],
    retryAt: null,
    crashes: 0,
  };
}

/** It was in the middle of its work when the runner stopped or died, or it was paused. */
export function hasBegun(operation: Operation): boolean {
  return operation.state === "running" || operation.state === "interrupted" || operation.isParked;
}
