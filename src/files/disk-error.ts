import { AppError, systemCode } from "../errors.ts";

/** What helps, by what the system said; a word for the rest. */
const remedies: Readonly<Record<string, string>> = {
  ENOSPC: "Free space on that disk, then try again",
  EDQUOT: "The quota is used up: free space or raise it, then try again",
  EIO: "The disk reports an error: check it and its cable before anything else",
  EROFS: "That file system is mounted read-only: mount it writable",
  EACCES: "Give the user that runs tomekeeper the right to do that there",
  EPERM: "The file system or its owner does not allow that: check permissions and mount options",
  EMFILE: "Too many files are open: raise the limit of open files (ulimit -n) or lower organize.concurrency",
  ENFILE: "The machine has too many files open: close other programs",
  ENAMETOOLONG: "The path is too long for that file system: shorten organize.pattern",
  ESTALE: "The network share was exported anew: mount it again",
  ENOTCONN: "The share is not connected: mount it again",
};

/** These may be right by themselves, or as soon as a person has done what the message says. */
const passing: ReadonlySet<string> = new Set([
  "ENOSPC",
  "EDQUOT",
  "EMFILE",
  "ENFILE",
  "EIO",
  "ESTALE",
  "ENOTCONN",
  "EAGAIN",
  "EBUSY",
]);

/** What the disk refused, with the path and what to do; an error of ours stays as it is. */
export function diskError(error: unknown, what: string, absolute: string): unknown {
  const code = systemCode(error);
  if (error instanceof AppError || code === null) return error;
  const reason = error instanceof Error ? error.message : code;
  const remedy = remedies[code] ?? "Look at that path";
  return new AppError("internal", `${absolute} could not be ${what}: ${reason}. ${remedy}.`, {
    cause: error,
    retryable: passing.has(code),
    details: { path: absolute, errno: code },
  });
}
