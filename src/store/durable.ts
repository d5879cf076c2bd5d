import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { copyFile, open, rename, rm, statfs } from "node:fs/promises";
import { constants as osConstants } from "node:os";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { syncFolder } from "../files/sync.ts";

/** Makes a file's content durable. */
export async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r+");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a small file so that after a crash there is the old one or the new one, never a part. */
export async function writeDurably(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(file));
}

/**
 * Keeps a durable copy of a damaged file beside it before anything is cut from it, and returns the copy's path
 * (`operations.db.damaged-2026-11-23T10-00-00.000Z`; a number is added where that name is taken).
 */
export async function keepDamagedCopy(file: string, at: Date): Promise<string> {
  const stem = `${file}.damaged-${at.toISOString().replaceAll(":", "-")}`;
  for (let attempt = 0; ; attempt++) {
    const copy = attempt === 0 ? stem : `${stem}-${attempt}`;
    try {
      await copyFile(file, copy, constants.COPYFILE_EXCL);
    } catch (error) {
      if (systemCode(error) === "EEXIST") continue;
      await rm(copy, { force: true });
      throw error;
    }
    await syncFile(copy);
    await syncFolder(path.dirname(file));
    return copy;
  }
}

/**
 * Whether a write failed for want of space alone: then all that was written before is as it was, and the same
 * write may succeed later. A sync or a closing that fails so has lost what it was to write, and says so only once.
 */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error) || !("syscall" in error) || !("errno" in error)) return false;
  // By number: libuv has no name for EDQUOT.
  const isShort = error.errno === -osConstants.errno.ENOSPC || error.errno === -osConstants.errno.EDQUOT;
  return isShort && !["fsync", "fdatasync", "close"].includes(String(error.syscall));
}

/** Bytes that this process may still write in the folder's file system. */
export async function freeBytes(folder: string): Promise<number> {
  const space = await statfs(folder);
  return space.bavail * space.bsize;
}
