import { link, mkdir, rename, unlink } from "node:fs/promises";
import path from "node:path";
import type { FileFacts } from "../domain/organize.ts";
import { systemCode } from "../errors.ts";
import { diskError } from "./disk-error.ts";
import { isUnchanged, lookAt, notTheSame } from "./facts.ts";
import { syncFolder } from "./sync.ts";

/**
 * Removes a file after a last look: it must still be what `expected` says. Nothing happens where it is gone. Throws
 * `conflict` where it is another one or was changed, and what the disk says. Durable when it resolves.
 */
export async function removeFile(absolute: string, expected: FileFacts): Promise<void> {
  if (!(await isThere(absolute, expected))) return;
  try {
    await unlink(absolute);
  } catch (error) {
    throw diskError(error, "removed", absolute);
  }
  await syncFolder(path.dirname(absolute));
}

/**
 * Moves a file into the trash on its own file system, where its name is free, after the same last look. Durable when
 * it resolves.
 */
export async function moveToTrash(absolute: string, trash: string, expected: FileFacts): Promise<void> {
  if (!(await isThere(absolute, expected))) return;
  try {
    await mkdir(path.dirname(trash), { recursive: true, mode: 0o700 });
    await giveName(absolute, trash);
    await syncFolder(path.dirname(trash));
    await syncFolder(path.dirname(absolute));
  } catch (error) {
    throw diskError(error, `moved to the trash (${trash})`, absolute);
  }
}

async function giveName(absolute: string, trash: string): Promise<void> {
  try {
    await link(absolute, trash);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(systemCode(error) ?? ""))
      throw error;
    // No links here. The batch's id is in the trash's path, so nobody else has a file of that name.
    await rename(absolute, trash);
    return;
  }
  await unlink(absolute);
}

async function isThere(absolute: string, expected: FileFacts): Promise<boolean> {
  const there = await lookAt(absolute);
  if (there === null) return false;
  if (isUnchanged(expected, there.facts)) return true;
  throw notTheSame(absolute, "source_changed", "was changed since it was looked at, and stays");
}
