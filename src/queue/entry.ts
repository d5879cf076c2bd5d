import type { Operation, OperationRequest, OperationState } from "../domain/operation.ts";
import type { Member } from "./line.ts";

/** An operation that has not ended. Its record changes as a whole, so that what was handed out never does. */
export interface Entry extends Member {
  operation: Operation;
  /** The state that listeners know of. */
  told: OperationState | null;
  /** Stops its run; null until it runs. */
  controller: AbortController | null;
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
    phase: "arriving",
    operation,
    told,
    controller: null,
    written: Promise.resolve(),
    ending: null,
    end,
  };
}

export function newOperation(request: OperationRequest, id: string, nowMs: number): Operation {
  return {
    ...request,
    id,
    state: "queued",
    percent: null,
    attempts: 0,
    createdAt: new Date(nowMs).toISOString(),
    startedAt: null,
    finishedAt: null,
    error: null,
    summary: null,
  };
}

/** It was running when the runner stopped or died. */
export function hasBegun(operation: Operation): boolean {
  return operation.state === "running" || operation.state === "interrupted";
}
