import { ignoreMarker } from "../domain/file-kinds.ts";
import type { ScanProblem } from "../domain/scan.ts";
import { createReadAhead, type WalkedFolder } from "./walk-ahead.ts";
import { type Disk, realDisk } from "./walk-disk.ts";
import { crossLink } from "./walk-folder.ts";
import { createIsLeftOut, type IsLeftOut } from "./walk-ignore.ts";
import { readMountPoints } from "./walk-mounts.ts";
import { joinPath, type Place, placeBelow } from "./walk-place.ts";
import {
  diskLost,
  folderProblem,
  hidesContent,
  isDiskLost,
  isNotThere,
  rootUnavailable,
} from "./walk-problems.ts";

export interface WalkOptions {
  /** Absolute. */
  readonly rootPath: string;
  /** The folder to begin with, relative to the root; `''` is the root. */
  readonly startPath: string;
  /** The last folder that need not come again, at or below the start; null: all come. */
  readonly after: string | null;
  /** Calls to the file system in flight, from 1. */
  readonly concurrency: number;
  /** Patterns as `createIsLeftOut` takes them. */
  readonly ignore: readonly string[];
  /** Leaves sizes and mtimes at 0 and asks the disk for no file: a third of the work, for counting. */
  readonly namesOnly?: boolean;
  readonly signal: AbortSignal;
  /** The machine's, where left out. */
  readonly disk?: Disk;
}

/** Yields `options`' folders as `walk` does, wherever it does the work. */
export type Walk = (options: WalkOptions) => AsyncGenerator<readonly WalkedFolder[]>;

/**
 * The folders below `startPath` and itself, in pre-order with names in byte order, in batches of those that
 * are ready; every name in a folder's `folders` comes as a folder of its own (empty where it was left out or
 * could not be listed). Reads ahead, bounded in folders and files. With `after`, sub-trees before it are not
 * listed at all; the folders above it are listed and come again only where that fails. Nothing comes where
 * the start is not there or is left out.
 *
 * Throws `root_unavailable` where the root cannot be listed, `disk_lost` where the disk stops answering, and
 * the signal's reason.
 */
export async function* walk(options: WalkOptions): AsyncGenerator<readonly WalkedFolder[]> {
  const disk = options.disk ?? realDisk;
  const isLeftOut = createIsLeftOut(options.ignore);
  const startPlace = await findStart(disk, isLeftOut, options);
  if (startPlace === null) return;
  if ("problems" in startPlace) return yield [startPlace];
  const { signal, startPath } = options;
  let hasNews = false;
  let wake = (): void => {};
  const onNews = (): void => {
    hasNews = true;
    wake();
  };
  signal.addEventListener("abort", onNews);
  const ahead = createReadAhead({
    disk,
    isLeftOut,
    startPath,
    startPlace,
    after: options.after === null ? null : segmentsBelow(startPath, options.after),
    namesOnly: options.namesOnly ?? false,
    concurrency: Math.max(1, options.concurrency),
    maxFolders: Math.max(64, 4 * options.concurrency),
    maxFiles: 4096,
    mountPoints: await readMountPoints(),
    onReady: onNews,
  });
  try {
    for (;;) {
      signal.throwIfAborted();
      hasNews = false;
      const folders = ahead.take();
      if (folders === null) return;
      if (folders.length > 0) {
        yield folders;
      } else if (!hasNews) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    ahead.stop();
    signal.removeEventListener("abort", onNews);
  }
}

/** Where the walk begins; a folder with its problem where it cannot; null where there is nothing to walk. */
async function findStart(
  disk: Disk,
  isLeftOut: IsLeftOut,
  { rootPath, startPath }: WalkOptions,
): Promise<Place | WalkedFolder | null> {
  const realRoot = await disk.realpath(rootPath).catch((error: unknown) => {
    throw rootUnavailable(rootPath, "cannot be found", error);
  });
  let place: Place = { realPath: realRoot, crossings: [], areas: [realRoot] };
  let path = "";
  for (const name of startPath === "" ? [] : startPath.split("/")) {
    if (isLeftOut(path, name) || (await exists(disk, joinPath(place.realPath, ignoreMarker)))) return null;
    path = joinPath(path, name);
    const below = placeBelow(place, name);
    try {
      const realPath = await disk.realpath(below.realPath);
      const reached = realPath === below.realPath ? below : crossLink(path, place, realPath);
      if ("code" in reached) return stopped({ ...reached, path: startPath });
      place = reached;
    } catch (error) {
      if (isNotThere(error)) return null;
      if (isDiskLost(error)) throw diskLost(below.realPath, error);
      return stopped(folderProblem(startPath, error));
    }
  }
  return place;
}

async function exists(disk: Disk, absolute: string): Promise<boolean> {
  return disk.stat(absolute).then(
    () => true,
    () => false,
  );
}

/** The start as the only folder of the walk. */
function stopped(problem: ScanProblem): WalkedFolder {
  const { path } = problem;
  const isHidden = hidesContent(problem.code);
  return {
    path,
    files: [],
    folders: [],
    problems: [problem],
    hidden: isHidden ? [path] : [],
    isComplete: !isHidden,
  };
}

/** The names that lead from one folder to another one below it. */
function segmentsBelow(folderPath: string, innerPath: string): readonly string[] {
  if (innerPath === folderPath) return [];
  return innerPath.slice(folderPath === "" ? 0 : folderPath.length + 1).split("/");
}
