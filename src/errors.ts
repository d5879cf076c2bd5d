/**
 * Every error code there is. The first group goes over the wire as it is (`mqtt-contract`: a closed union);
 * the second stays inside and is told to the outside as the wire code that `wireCode` names.
 */
export const wireErrorCodes = [
  "invalid_json",
  "invalid_payload",
  "unknown_command",
  "payload_too_large",
  "not_found",
  "conflict",
  "outside_root",
  "busy",
  "paused",
  "queue_full",
  "read_only",
  "source_unavailable",
  "cancelled",
  "internal",
] as const;

export type WireErrorCode = (typeof wireErrorCodes)[number];

type InternalErrorCode =
  | "config_invalid"
  | "lock_held"
  | "store_damaged"
  | "store_newer"
  | "root_unavailable"
  | "disk_lost"
  | "address_refused"
  | "rate_limited"
  | "answer_invalid"
  | "fatal_diagnostic"
  | "no_runner";

export type ErrorCode = WireErrorCode | InternalErrorCode;

interface AppErrorOptions {
  readonly cause?: unknown;
  /** Whether the same request may succeed later without anything being changed. Only the queue retries. */
  readonly retryable?: boolean;
  /** Facts for the reader of an answer: paths, keys, limits. Never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** The one error class: a message that says what happened, to which path, and what to do next. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? null;
  }
}

const internalToWire: Readonly<Record<InternalErrorCode, WireErrorCode>> = {
  config_invalid: "invalid_payload",
  lock_held: "busy",
  store_damaged: "read_only",
  store_newer: "read_only",
  root_unavailable: "not_found",
  disk_lost: "internal",
  address_refused: "source_unavailable",
  rate_limited: "source_unavailable",
  answer_invalid: "source_unavailable",
  fatal_diagnostic: "internal",
  no_runner: "internal",
};

function isInternal(code: ErrorCode): code is InternalErrorCode {
  return Object.hasOwn(internalToWire, code);
}

function wireCode(code: ErrorCode): WireErrorCode {
  return isInternal(code) ? internalToWire[code] : code;
}

/** An error as it stands in an answer or an operation's record. */
export interface ErrorRecord {
  readonly code: WireErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>> | null;
}

/** Converts anything thrown into what may be shown: an unexpected error keeps its message, not its stack. */
export function toErrorRecord(error: unknown): ErrorRecord {
  if (error instanceof AppError) {
    return {
      code: wireCode(error.code),
      message: error.message,
      retryable: error.retryable,
      details: error.details,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, retryable: passing.has(systemCode(error) ?? ""), details: null };
}

/** What a disk or a share says that is away, and may come back. */
const passing: ReadonlySet<string> = new Set(["EIO", "ENOTCONN", "ESTALE", "EHOSTDOWN", "ETIMEDOUT"]);

/** The `code` of a Node system error (`ENOENT`, …), or null for anything else. */
export function systemCode(error: unknown): string | null {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return null;
}
