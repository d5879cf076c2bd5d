import type { Operation } from "../domain/operation.ts";
import { type AppError, type ErrorRecord, toErrorRecord } from "../errors.ts";

/** An answer to a command as it stands on the wire: all keys, always. */
export interface Answer {
  readonly transaction: string | null;
  readonly command: string;
  readonly status: "accepted" | "ok" | "error";
  readonly data: unknown;
  readonly error: ErrorRecord | null;
}

interface Asked {
  readonly command: string;
  readonly transaction: string | null;
}

export function okAnswer({ command, transaction }: Asked, data: unknown): Answer {
  return { transaction, command, status: "ok", data, error: null };
}

export function errorAnswer({ command, transaction }: Asked, error: AppError | ErrorRecord): Answer {
  return { transaction, command, status: "error", data: null, error: toRecord(error) };
}

/** `operationIds`: at least one. */
export function acceptedAnswer({ command, transaction }: Asked, operationIds: readonly string[]): Answer {
  return { transaction, command, status: "accepted", data: named(operationIds), error: null };
}

/** What the summaries of several operations come to. */
export type SumUp = (operations: readonly Operation[]) => Readonly<Record<string, unknown>> | null;

/**
 * The second answer: what became of the operations, all of which have ended; one that no longer exists is
 * null. Several failures are told by the first one's error.
 */
export function endedAnswer(
  { command, transaction }: Asked,
  operationIds: readonly string[],
  operations: readonly (Operation | null)[],
  sumUp: SumUp,
): Answer {
  const ended = operations.filter((operation) => operation !== null);
  const failed = ended.find((operation) => operation.state === "failed");
  const cancelled = ended.find((operation) => operation.state === "cancelled");
  const isGone = ended.length < operations.length;
  const state = isGone ? null : ((failed ?? cancelled)?.state ?? "completed");
  const data = { ...named(operationIds), state, summary: sumUp(ended) };
  if (state === "completed") return { transaction, command, status: "ok", data, error: null };
  let error = cancelledError;
  if (isGone) error = goneError;
  else if (failed !== undefined) error = failed.error ?? unexplainedError;
  return { transaction, command, status: "error", data, error };
}

/**
 * Adds up summaries that have the same keys: numbers are added, lists joined up to the hundred that a
 * summary carries, objects likewise; of anything else the first that says something stands.
 */
export function addUp(operations: readonly Operation[]): Readonly<Record<string, unknown>> | null {
  const summaries = operations.map((operation) => operation.summary).filter((summary) => summary !== null);
  if (summaries.length === 0) return null;
  return summaries.reduce(addRecords);
}

const longestList = 100;

function addRecords(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...keys].map((key) => [key, addValues(a[key], b[key])]));
}

function addValues(a: unknown, b: unknown): unknown {
  if (a === undefined || a === null) return b;
  if (typeof a === "number" && typeof b === "number") return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return [...a, ...b].slice(0, longestList);
  if (isRecord(a) && isRecord(b)) return addRecords(a, b);
  return a;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function named(operationIds: readonly string[]): {
  readonly operation_id: string | null;
  readonly operation_ids: readonly string[];
} {
  return { operation_id: operationIds[0] ?? null, operation_ids: operationIds };
}

function toRecord(error: AppError | ErrorRecord): ErrorRecord {
  return error instanceof Error ? toErrorRecord(error) : error;
}

const cancelledError: ErrorRecord = {
  code: "cancelled",
  message: "The operation was cancelled",
  retryable: false,
  details: null,
};

const goneError: ErrorRecord = {
  code: "not_found",
  message: "The operation is no longer known; send the command again with another transaction",
  retryable: false,
  details: null,
};

const unexplainedError: ErrorRecord = {
  code: "internal",
  message: "The operation failed",
  retryable: false,
  details: null,
};
