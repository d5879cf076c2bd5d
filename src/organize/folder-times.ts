import { chmod, chown, lstat } from "node:fs/promises";
import type { BatchEnded } from "../domain/journal.ts";
import { placeText, type RootPath } from "../domain/organize.ts";
import { systemCode } from "../errors.ts";
import { setFolderTime } from "../files/attributes.ts";
import type { BatchRecords } from "./batch-records.ts";
import { absolutePath } from "./batch-roots.ts";

/** When the folders that the batch saw were last changed: by the batch, if nobody else comes. */
export async function foldersNow({ begun, seen }: BatchRecords): Promise<BatchEnded["folders"]> {
  const folders: BatchEnded["folders"][number][] = [];
  for (const { folder } of seen) {
    const mtimeNs = await mtimeOf(absolutePath(begun.roots, folder));
    if (mtimeNs !== null) folders.push({ folder, mtimeNs });
  }
  return folders;
}

/**
 * After an undo: folders get back the time that they had before the batch, unless somebody else changed them since;
 * those that had to be made again their permissions and owner too.
 */
export async function restoreFolders(undo: BatchRecords, original: BatchRecords): Promise<void> {
  const beforeUndo = new Map(undo.seen.map(({ folder, mtimeNs }) => [placeText(folder), mtimeNs]));
  const afterBatch = new Map(
    original.ended?.folders.map(({ folder, mtimeNs }) => [placeText(folder), mtimeNs]),
  );
  const deepestFirst = original.seen.toSorted((a, b) => b.folder.path.length - a.folder.path.length);
  for (const { folder, mtimeNs, mode, uid, gid } of deepestFirst) {
    const key = placeText(folder);
    const absolute = absolutePath(undo.begun.roots, folder);
    const before = beforeUndo.get(key);
    if (before === undefined) {
      if (!isMadeBy(undo, folder)) continue;
      await chown(absolute, uid, gid).catch(ignoreRefused);
      await chmod(absolute, mode).catch(ignoreRefused);
    } else if (before !== afterBatch.get(key)) continue;
    await setFolderTime(absolute, BigInt(mtimeNs)).catch(ignoreRefused);
  }
}

function isMadeBy({ folders }: BatchRecords, folder: RootPath): boolean {
  return folders.some((made) => made.identity !== null && placeText(made.folder) === placeText(folder));
}

async function mtimeOf(absolute: string): Promise<string | null> {
  try {
    return String((await lstat(absolute, { bigint: true })).mtimeNs);
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) return null;
    throw error;
  }
}

/** Not the owner, or a file system without owners: the files are back, which is what was asked for. */
function ignoreRefused(error: unknown): void {
  if (!["EPERM", "EACCES", "EROFS", "ENOTSUP", "ENOENT", "EINVAL"].includes(systemCode(error) ?? ""))
    throw error;
}
