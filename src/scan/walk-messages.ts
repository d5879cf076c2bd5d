import { AppError, type ErrorCode } from "../errors.ts";
import type { WalkOptions } from "./walk.ts";
import type { WalkedFolder } from "./walk-ahead.ts";

/** What the walk's thread is started with. */
export interface WalkThreadData extends Omit<WalkOptions, "signal" | "disk"> {
  /** Batches that may be sent; each message to the thread allows one more. */
  readonly credit: number;
}

/** What the walk's thread says. */
export type WalkMessage =
  | { readonly kind: "folders"; readonly folders: readonly WalkedFolder[] }
  | { readonly kind: "end" }
  | { readonly kind: "failed"; readonly error: ThreadError };

/** An error on its way between threads, which take nothing from it but its text. */
export interface ThreadError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;
}

export function toThreadError(error: unknown): ThreadError {
  if (error instanceof AppError) {
    const { code, message, retryable, details } = error;
    return { code, message, retryable, details: details ?? {} };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "internal", message, retryable: false, details: {} };
}

export function fromThreadError({ code, message, retryable, details }: ThreadError): AppError {
  return new AppError(code, message, { retryable, details });
}
