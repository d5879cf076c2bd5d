import { lstat } from "node:fs/promises";
import type { FileFacts, FileIdentity } from "../domain/organize.ts";
import { systemCode } from "../errors.ts";
import { factsOf } from "../files/facts.ts";

/** A file as it lies there now. */
export interface Found {
  readonly kind: "file" | "symlink" | "other";
  readonly facts: FileFacts;
}

/** What has this name, links not followed; null where nothing has. */
export async function find(absolute: string): Promise<Found | null> {
  try {
    const stats = await lstat(absolute, { bigint: true });
    const kind = stats.isFile() ? "file" : stats.isSymbolicLink() ? "symlink" : "other";
    return { kind, facts: factsOf(stats) };
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return null;
    throw error;
  }
}

/**
 * Whether a journal's identity is that of a file now. The device's number is left out: it changes when a disk is
 * plugged in again, and the path has said which file system is meant.
 */
export function isSameFile(recorded: FileIdentity, now: FileIdentity): boolean {
  if (recorded.ino !== now.ino) return false;
  return recorded.birthtimeNs === "0" || now.birthtimeNs === "0" || recorded.birthtimeNs === now.birthtimeNs;
}

/** The same file, and by size and time of change with what it held. */
export function isAsRecorded(recorded: FileFacts, now: FileFacts): boolean {
  return (
    isSameFile(recorded.identity, now.identity) &&
    recorded.sizeBytes === now.sizeBytes &&
    recorded.mtimeNs === now.mtimeNs
  );
}
