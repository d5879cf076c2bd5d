import { lstat, rmdir } from "node:fs/promises";
import path from "node:path";
import type { JournalRoot } from "../domain/journal.ts";
import { systemCode } from "../errors.ts";
import { factsOf, isSameFile } from "../files/facts.ts";
import { syncFolder } from "../files/sync.ts";
import type { FolderRecords } from "./batch-records.ts";
import { absolutePath } from "./batch-roots.ts";

/**
 * Removes the folders that a batch made, deepest first, as far as they are empty and proven to be ours: by the
 * recorded identity, or, where a crash came before that was recorded, by having been born after the batch had looked
 * and found nothing there.
 */
export async function removeMadeFolders(
  roots: readonly JournalRoot[],
  folders: readonly FolderRecords[],
): Promise<void> {
  for (const made of folders.toReversed()) {
    const absolute = absolutePath(roots, made.folder);
    if (!(await isOurs(absolute, made))) continue;
    if (await removeEmpty(absolute)) await syncFolder(path.dirname(absolute));
  }
}

/** Removes a folder if it is empty; says whether it did. */
export async function removeEmpty(absolute: string): Promise<boolean> {
  try {
    await rmdir(absolute);
    return true;
  } catch (error) {
    if (stays.has(systemCode(error) ?? "")) return false;
    throw error;
  }
}

const stays: ReadonlySet<string> = new Set([
  "ENOTEMPTY",
  "EEXIST",
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
  "EROFS",
  "EBUSY",
]);

async function isOurs(absolute: string, { identity, plannedAtNs }: FolderRecords): Promise<boolean> {
  const stats = await lstat(absolute, { bigint: true }).catch((error: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return null;
    throw error;
  });
  if (stats === null || !stats.isDirectory()) return false;
  const now = factsOf(stats).identity;
  if (identity !== null) return isSameFile(identity, now);
  // File systems keep time in ticks of up to 10 ms, some of 2 s: a tick before our look is still after it.
  return now.birthtimeNs !== "0" && BigInt(now.birthtimeNs) + 10_000_000n >= BigInt(plannedAtNs);
}
