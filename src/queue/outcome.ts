import { isEnded, type Operation, type OperationKind } from "../domain/operation.ts";
import { AppError, toErrorRecord } from "../errors.ts";

/** How an operation came out: what changes in its record. */
export type Outcome = Pick<Operation, "state" | "error" | "summary">;

/** It stopped at a safe point and goes on from there: not an end. */
export const parked = Symbol("parked");

export function completed(summary: Operation["summary"]): Outcome {
  return { state: "completed", error: null, summary };
}

export function failed(error: unknown): Outcome {
  return { state: "failed", error: toErrorRecord(error), summary: null };
}

/** A user ended it. */
export const cancelled: Outcome = {
  state: "cancelled",
  error: toErrorRecord(new AppError("cancelled", "Cancelled on request")),
  summary: null,
};

/** The runner stopped; it goes on at the next start. */
export const interrupted: Outcome = { state: "interrupted", error: null, summary: null };

/**
 * What a throw means. While stopping any failure is an interruption: the cause may be the stop itself, and the
 * next start tries again. A cancelled operation that fails on its way out has failed, and says why.
 */
export function outcomeOfError(error: unknown, signal: AbortSignal): Outcome | typeof parked {
  if (signal.aborted && signal.reason === "shutdown") return interrupted;
  if (signal.aborted && signal.reason === "pause" && isAbort(error, signal)) return parked;
  if (signal.aborted && isAbort(error, signal)) return cancelled;
  return failed(error);
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true;
  if (error instanceof AppError) return error.code === "cancelled";
  return error instanceof Error && error.name === "AbortError";
}

/** Something that it waited for did not come about. */
export function cancelledWith(dependency: Operation | string): Outcome {
  const id = typeof dependency === "string" ? dependency : dependency.id;
  const became =
    typeof dependency === "string"
      ? "is not known any more"
      : `${dependency.state === "failed" ? "has failed" : "was cancelled"}${dependency.error === null ? "" : `: ${dependency.error.message}`}`;
  const message = `Cancelled, because operation ${id}, which had to come first, ${became}`;
  const details = { operation_id: id };
  return {
    state: "cancelled",
    error: toErrorRecord(new AppError("cancelled", message, { details })),
    summary: null,
  };
}

export function crashLoop(operation: Operation): Outcome {
  return failed(
    new AppError(
      "internal",
      `The runner crashed ${operation.crashes} times in a row while it did this, and it had not come any further: it is not started again. Look at the log, then ask for a retry`,
      { details: { crashes: operation.crashes } },
    ),
  );
}

export function waitsForItself(operation: Operation): AppError {
  return new AppError(
    "invalid_payload",
    `Operation ${operation.id} waits for itself, through those it is after`,
    {
      details: { operation_id: operation.id },
    },
  );
}

/** The work was done or not, but nobody will know after a restart: that is a failure to be seen. */
export function notRecorded(operation: Operation, cause: unknown): Outcome {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return failed(
    new AppError(
      "internal",
      `It ended as ${operation.state}, but the store did not take that (${reason}): it may run again after a restart`,
      { cause, details: { state: operation.state, summary: operation.summary } },
    ),
  );
}

export function unknownKind(kind: OperationKind): AppError {
  return new AppError("invalid_payload", `This runner has nothing that runs operations of kind "${kind}"`, {
    details: { kind },
  });
}

export function notFound(id: string): AppError {
  return new AppError("not_found", `No operation ${id} is known: it never was, or its record has expired`, {
    details: { operation_id: id },
  });
}

export function alreadyEnded(operation: Operation): AppError {
  return new AppError("conflict", `Operation ${operation.id} has ended before: it is ${operation.state}`, {
    details: { operation_id: operation.id, state: operation.state },
  });
}

export function notRetryable(operation: Operation): AppError {
  const why = isEnded(operation.state)
    ? `it is ${operation.state}`
    : `it has not failed, it is ${operation.state}`;
  return new AppError("conflict", `Operation ${operation.id} cannot be tried again: ${why}`, {
    details: { operation_id: operation.id, state: operation.state },
  });
}

/** Throws where something cannot be waited for: it is not known, or cannot come about any more. */
export function refuseDependency(id: string, operation: Operation | null, mustComplete: boolean): void {
  if (operation === null) throw notFound(id);
  if (!mustComplete || (operation.state !== "failed" && operation.state !== "cancelled")) return;
  throw new AppError("conflict", `Operation ${id}, which has to come first, is ${operation.state}`, {
    details: { operation_id: id, state: operation.state },
  });
}

export function stoppedFirst(id: string): AppError {
  return new AppError(
    "busy",
    `The runner stopped before operation ${id} ended: it goes on at the next start`,
    {
      retryable: true,
      details: { operation_id: id },
    },
  );
}
