import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { open, opendir, realpath, stat, statfs, unlink } from "node:fs/promises";
import path from "node:path";
import type { Root } from "../domain/book.ts";
import { systemCode } from "../errors.ts";
import { type Finding, fine, found } from "./check.ts";

/** Whether a root is there, can be listed, and is not the empty folder that an unmounted disk leaves behind. */
export async function checkRootExists(root: Root, knownBooks: number): Promise<Finding> {
  const bad = root.optional ? "warn" : "fatal";
  const otherwise = root.optional
    ? "it is looked for again and again"
    : "optional: true lets the runner start without it";
  const remedy = `mount its disk or correct the path of root "${root.id}"; ${otherwise}`;
  try {
    if (!(await stat(root.path)).isDirectory()) {
      return found(bad, `${root.path} is not a folder`, `correct the path of root "${root.id}"`);
    }
    if (knownBooks > 0 && (await isEmpty(root.path))) {
      const message = `${root.path} is empty, though ${knownBooks} books in it are known: its disk is probably not mounted`;
      return found(bad, message, "mount its disk; if it was emptied on purpose, put any file into it");
    }
    // Listing needs more than stat does: read and search permission.
    await isEmpty(root.path);
    return fine(`${root.path} is there`);
  } catch (error) {
    return found(bad, `${root.path} ${cannotList(error)}`, remedy);
  }
}

/**
 * Whether a file can be made in a root. The probe is removed again. A root that is not there, or looks like the
 * mount point of a disk that is not, is not touched: nothing may be written below a mount point.
 */
export async function checkRootWritable(root: Root, knownBooks: number): Promise<Finding> {
  const exists = await checkRootExists(root, knownBooks);
  if (exists.severity !== "ok") {
    return found("warn", `not tried, since ${exists.message}`, exists.remedy ?? "");
  }
  const problem = await probe(root.path);
  if (problem === null) return fine(`${root.path} can be written to`);
  return found(
    root.optional ? "warn" : "fatal",
    `${root.path} ${cannotWrite(problem)}`,
    root.optional ? giveAccess(problem) : `${giveAccess(problem)}; optional: true lets it be read as it is`,
  );
}

function giveAccess(problem: unknown): string {
  if (systemCode(problem) === "EROFS") return "mount it so that it can be written to";
  return `give the runner's user (uid ${process.getuid?.() ?? "unknown"}) write permission there`;
}

/** Whether no root lies inside another when links are followed: its books would be there twice. */
export async function checkRootsApart(roots: readonly Root[]): Promise<Finding> {
  const places = await Promise.all(
    roots.map(async (root) => ({ root, place: await realpath(root.path).catch(() => root.path) })),
  );
  for (const [i, { root, place }] of places.entries()) {
    const above = places.find((other, j) => j !== i && isSameOrInside(place, other.place));
    if (above === undefined) continue;
    const message = `root "${root.id}" (${root.path}) leads into root "${above.root.id}" (${above.root.path})`;
    return found(
      "fatal",
      message,
      "take one of them out of the configuration: its books would be there twice",
    );
  }
  return fine("no root lies inside another");
}

function isSameOrInside(place: string, above: string): boolean {
  const relative = path.relative(above, place);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`);
}

export async function checkDataDirWritable(dataDir: string): Promise<Finding> {
  const problem = await probe(dataDir);
  if (problem === null) return fine(`${dataDir} can be written to`);
  const code = systemCode(problem);
  if (code === "ENOENT") return await checkCanBeMade(dataDir);
  if (code === "ENOSPC" || code === "EDQUOT") {
    return found("warn", `${dataDir} is full: nothing can be recorded`, "free some space and start again");
  }
  const remedy = `give the runner's user (uid ${process.getuid?.() ?? "unknown"}) write permission there, or choose another data_dir`;
  return found("fatal", `${dataDir} ${cannotWrite(problem)}`, remedy);
}

/** A data folder that is not there yet is made at the first start: in the folder above, if that can be written to. */
async function checkCanBeMade(dataDir: string): Promise<Finding> {
  let above = path.dirname(dataDir);
  while (!existsSync(above) && above !== path.dirname(above)) above = path.dirname(above);
  const problem = await probe(above);
  if (problem === null) return fine(`${dataDir} is not there yet; it will be made`);
  return found(
    "fatal",
    `${dataDir} is not there, and ${above} ${cannotWrite(problem)}`,
    "make it, or choose another data_dir",
  );
}

export async function checkFreeSpace(folder: string, enoughBytes: number): Promise<Finding> {
  const space = await statfs(folder).catch(() => null);
  // A folder that is not there has checks of its own that say so.
  if (space === null || space.blocks === 0) return fine(`free space at ${folder} is not known`);
  const { bavail, bsize } = space;
  const freeMiB = Math.floor((bavail * bsize) / 2 ** 20);
  const enoughMiB = Math.floor(enoughBytes / 2 ** 20);
  if (freeMiB >= enoughMiB) return fine(`${freeMiB} MiB free at ${folder}`);
  return found(
    "warn",
    `only ${freeMiB} MiB free at ${folder}`,
    `free some space: below ${enoughMiB} MiB is little`,
  );
}

async function isEmpty(folder: string): Promise<boolean> {
  const listing = await opendir(folder);
  try {
    return (await listing.read()) === null;
  } finally {
    await listing.close();
  }
}

/** Makes a file and removes it; what went wrong, or null. */
async function probe(folder: string): Promise<unknown> {
  const file = path.join(folder, `.tomekeeper-probe-${randomUUID()}`);
  try {
    const handle = await open(file, "wx", 0o600);
    await handle.close();
    await unlink(file);
    return null;
  } catch (error) {
    return error;
  }
}

function cannotList(error: unknown): string {
  return systemCode(error) === "ENOENT" ? "does not exist" : `cannot be listed: ${reason(error)}`;
}

function cannotWrite(error: unknown): string {
  return `cannot be written to: ${reason(error)}`;
}

function reason(error: unknown): string {
  const code = systemCode(error);
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EROFS") return "its file system is read-only";
  return error instanceof Error ? error.message : String(error);
}
