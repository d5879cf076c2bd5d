import type { Operation, OperationKind } from "../domain/operation.ts";
import { AppError, toErrorRecord } from "../errors.ts";

/** How an operation came out: what changes in its record. */
export type Outcome = Pick<Operation, "state" | "error" | "summary">;

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
export function outcomeOfError(error: unknown, signal: AbortSignal): Outcome {
  if (signal.aborted && signal.reason === "shutdown") return interrupted;
  if (signal.aborted && isAbort(error, signal)) return cancelled;
  return failed(error);
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (error === signal.reason) return true;
  if (error instanceof AppError) return error.code === "cancelled";
  return error instanceof Error && error.name === "AbortError";
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
