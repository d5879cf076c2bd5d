import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, lstat, open } from "node:fs/promises";
import type { FileFacts, FileIdentity } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { diskError } from "./disk-error.ts";

/** A name as it is now. */
export interface Found {
  readonly kind: "file" | "folder" | "symlink" | "other";
  readonly facts: FileFacts;
}

export function factsOf(stats: BigIntStats): FileFacts {
  return {
    identity: { dev: String(stats.dev), ino: String(stats.ino), birthtimeNs: String(stats.birthtimeNs) },
    sizeBytes: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    mode: Number(stats.mode & 0o7777n),
  };
}

/** What has this name, links not followed; null where nothing has. */
export async function lookAt(absolute: string): Promise<Found | null> {
  try {
    const stats = await lstat(absolute, { bigint: true });
    return { kind: kindOf(stats), facts: factsOf(stats) };
  } catch (error) {
    if (isAbsent(error)) return null;
    throw diskError(error, "looked at", absolute);
  }
}

/** Nothing has that name, or what should be a folder on the way is none. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/**
 * Whether an identity that was recorded is that of a file now. The device's number is left out: it changes when a
 * disk is plugged in again, and the path has said which file system is meant. Birth times are compared where the
 * file system has them.
 */
export function isSameFile(recorded: FileIdentity, now: FileIdentity): boolean {
  if (recorded.ino !== now.ino) return false;
  return recorded.birthtimeNs === "0" || now.birthtimeNs === "0" || recorded.birthtimeNs === now.birthtimeNs;
}

/** The same file, and by size and time of change with what it held. */
export function isUnchanged(recorded: FileFacts, now: FileFacts): boolean {
  return (
    isSameFile(recorded.identity, now.identity) &&
    recorded.sizeBytes === now.sizeBytes &&
    recorded.mtimeNs === now.mtimeNs
  );
}

/**
 * Opens a file to be read, without following a link that has taken its name. Throws `conflict` where it is no regular
 * file or not there, and what the disk says.
 */
export async function openSource(
  absolute: string,
): Promise<{ readonly handle: FileHandle; readonly facts: FileFacts }> {
  let handle: FileHandle;
  try {
    handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemCode(error);
    if (isAbsent(error)) throw notTheSame(absolute, "source_missing", "is not there any more", error);
    if (code === "ELOOP" || code === "ENXIO") {
      throw notTheSame(absolute, "source_changed", "is no regular file any more", error);
    }
    throw diskError(error, "opened", absolute);
  }
  try {
    const stats = await handle.stat({ bigint: true });
    if (stats.isFile()) return { handle, facts: factsOf(stats) };
  } catch (error) {
    await handle.close();
    throw diskError(error, "looked at", absolute);
  }
  await handle.close();
  throw notTheSame(absolute, "source_changed", "is no regular file any more");
}

/** The file is not what was expected there. */
export function notTheSame(absolute: string, code: string, what: string, cause?: unknown): AppError {
  return new AppError("conflict", `${absolute} ${what}: scan its folder again, then ask again.`, {
    cause,
    details: { path: absolute, code },
  });
}

/** As Node's own `mtimeMs` is computed, to the last bit: a scan compares the two. */
export function mtimeMsOf(mtimeNs: string): number {
  const ns = BigInt(mtimeNs);
  return Number(ns / 1_000_000_000n) * 1000 + Number(ns % 1_000_000_000n) / 1_000_000;
}

function kindOf(stats: BigIntStats): Found["kind"] {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "folder";
  return stats.isSymbolicLink() ? "symlink" : "other";
}
