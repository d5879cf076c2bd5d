import type { ScanProblem, ScanProblemCode } from "../domain/scan.ts";
import { AppError, systemCode } from "../errors.ts";

const lostDisk = new Set([
  "EIO",
  "ENOTCONN",
  "ESTALE",
  "ENODEV",
  "ENXIO",
  "EREMOTEIO",
  "ESHUTDOWN",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ETIMEDOUT",
]);

/** True for the errors that mean that the disk is gone, not that one file on it is bad. */
export function isDiskLost(error: unknown): boolean {
  const code = systemCode(error);
  return code !== null && lostDisk.has(code);
}

/** True for the errors that mean that there is nothing at the path. */
export function isNotThere(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The error that ends a scan whose disk went away; nothing is concluded from what could not be seen. */
export function diskLost(path: string, cause: unknown): AppError {
  const reason = systemCode(cause) ?? "no answer";
  return new AppError(
    "disk_lost",
    `The disk stopped answering at ${path} (${reason}). Check the disk or the network share, then scan again: it goes on where it stopped`,
    { cause, retryable: true, details: { path, error: reason } },
  );
}

/** The error for a root that cannot be looked into: it is offline, its books stay as they are. */
export function rootUnavailable(path: string, reason: string, cause?: unknown): AppError {
  return new AppError(
    "root_unavailable",
    `The root ${path} ${reason}. Is its disk mounted? Its books are kept as they are`,
    { cause, retryable: true, details: { path } },
  );
}

/** What is wrong with a folder that cannot be listed. */
export function folderProblem(path: string, error: unknown): ScanProblem {
  switch (systemCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return { path, code: "vanished", message: "The folder went away while it was scanned" };
    case "ENAMETOOLONG":
      return tooLong(path);
    case "ELOOP":
      return { path, code: "loop", message: "Its path goes round in symbolic links" };
    default:
      return {
        path,
        code: "unreadable_folder",
        message: `The folder cannot be listed (${reasonOf(error)}): nothing below it was scanned`,
      };
  }
}

/** What is wrong with a file that cannot be looked at; null: it was a file when its folder was listed, not now. */
export function fileProblem(path: string, error: unknown): ScanProblem {
  switch (error === null ? "ENOENT" : systemCode(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return { path, code: "vanished", message: "The file went away while it was scanned" };
    case "ENAMETOOLONG":
      return tooLong(path);
    default:
      return { path, code: "unreadable_file", message: `The file cannot be looked at (${reasonOf(error)})` };
  }
}

/** What is wrong with a symbolic link that leads nowhere. */
export function linkProblem(path: string, error: unknown): ScanProblem {
  switch (systemCode(error)) {
    case "ELOOP":
      return { path, code: "loop", message: "The symbolic link goes round in a circle" };
    case "ENOENT":
    case "ENOTDIR":
      return { path, code: "broken_link", message: "The symbolic link leads to nothing" };
    default:
      return fileProblem(path, error);
  }
}

/** True where the problem hides what may well be there: nothing may be called missing because of it. */
export function hidesContent(code: ScanProblemCode): boolean {
  return code === "unreadable_folder" || code === "unreadable_file" || code === "path_too_long";
}

function tooLong(path: string): ScanProblem {
  return { path, code: "path_too_long", message: "The path is longer than the system takes; shorten a name" };
}

function reasonOf(error: unknown): string {
  if (systemCode(error) === "EACCES" || systemCode(error) === "EPERM") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
