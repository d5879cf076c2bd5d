import type { TrackResult } from "../domain/scan.ts";
import { AppError, systemCode } from "../errors.ts";

/** The problem of a file that took too long. */
export function overdue(fileTimeoutMs: number): TrackResult {
  return {
    ok: false,
    code: "read_timeout",
    message: `Reading took longer than ${fileTimeoutMs} ms; the disk is slow or the file is damaged (scan.file_timeout_ms).`,
  };
}

/** The problem of a file that ended its worker twice. */
export function fatal(error: unknown): TrackResult {
  const isMemory = systemCode(error) === "ERR_WORKER_OUT_OF_MEMORY";
  const reason = isMemory
    ? "it takes more memory than a reader is allowed"
    : `it ended its reader (${text(error)})`;
  return { ok: false, code: "unreadable_audio", message: `The file cannot be read: ${reason}.` };
}

/** What a system error that is no verdict on the file fails the whole read with. */
export function diskLost(code: string, path: string): AppError {
  if (code === "EMFILE" || code === "ENFILE") {
    return new AppError(
      "internal",
      `Too many files are open (${code}) to read ${path}; raise the limit on open files (ulimit -n).`,
      { retryable: true, details: { path, code } },
    );
  }
  return new AppError(
    "disk_lost",
    `The disk is gone or no longer answers (${code}) at ${path}; check that it is mounted.`,
    { retryable: true, details: { path, code } },
  );
}

/** No worker could be started, or one ended before its first file. */
export function workerError(error: unknown): AppError {
  return new AppError("internal", `No reader of tags could be started: ${text(error)}`, { cause: error });
}

/** The reader was closed while somebody waited. */
export function closedError(): AppError {
  return new AppError("cancelled", "The reader of tags is closed.");
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
