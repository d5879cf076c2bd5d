import { once } from "node:events";
import { type FSWatcher, watch as watchFolder } from "node:fs";
import { lstat, readdir, stat } from "node:fs/promises";
import path from "node:path";
import type { FSWatcher as ChokidarWatcher } from "chokidar";
import fastq from "fastq";
import { systemCode } from "../errors.ts";

/** What looks after a root and says where something has changed. */
export interface WatchSource {
  /** Resolves when all that is there now is watched. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface WatchedPlace {
  /** Absolute. */
  readonly path: string;
  /** What is passed over: a folder relative to the root, `''` for the root itself, and a name in it. */
  readonly isLeftOut: (folder: string, name: string) => boolean;
  /** Something in that folder, relative to the root, is new, other or gone. */
  readonly onFolder: (folder: string) => void;
  /** Not all of it can be watched. */
  readonly onTrouble: (error: unknown) => void;
}

/** Calls to the file system in flight. */
const atOnce = 16;

/**
 * An inbox, by chokidar: every file is known, so that all that happens to one is told. Holds some 14 KB a folder of
 * four files (13,000 folders: 186 MB), which an inbox is small enough for.
 */
export function createFileWatch({ path: root, isLeftOut, onFolder, onTrouble }: WatchedPlace): WatchSource {
  // It would override the options, and poll every file.
  delete process.env["CHOKIDAR_USEPOLLING"];
  const relative = (absolute: string): string => path.relative(root, absolute);
  const isIgnored = (absolute: string): boolean => {
    const place = relative(absolute);
    return place !== "" && isLeftOut(folderOf(place), path.basename(place));
  };
  let watcher: ChokidarWatcher | null = null;
  return {
    start: async () => {
      // Whoever has no inbox does not need it in memory.
      const { watch } = await import("chokidar");
      watcher = watch(root, { ignoreInitial: true, followSymlinks: false, ignored: isIgnored });
      watcher.on("all", (event, absolute) => {
        const place = relative(absolute);
        if (place !== "") onFolder(event === "addDir" ? place : folderOf(place));
      });
      watcher.on("error", onTrouble);
      await once(watcher, "ready");
    },
    stop: async () => await watcher?.close(),
  };
}

/**
 * A library, by one watch per folder and nothing else: what an event names is listed then. Holds 1.5 KB a folder
 * (13,000 folders: 20 MB, ready in 0.4 s).
 */
export function createFolderWatch({ path: root, isLeftOut, onFolder, onTrouble }: WatchedPlace): WatchSource {
  const watchers = new Map<string, FSWatcher>();
  const pool = fastq.promise<null, () => Promise<void>>((work) => work(), atOnce);
  let isStopped = false;

  /** What is made in it before it is watched is seen by the listing, what is made after by the watch. */
  async function add(folder: string, isNew: boolean): Promise<void> {
    if (isStopped || watchers.has(folder)) return;
    const watcher = watchFolder(path.join(root, folder), { persistent: false });
    watchers.set(folder, watcher);
    watcher.on("change", (event, name) => changed(folder, event, String(name)));
    watcher.on("error", () => drop(folder));
    if (isNew) onFolder(folder);
    const inside = await foldersIn(root, folder, isLeftOut);
    await Promise.all(inside.map((each) => addLater(each, isNew)));
  }

  function addLater(folder: string, isNew: boolean): Promise<void> {
    // A folder waits for those below it: in the pool only the looking takes a place.
    return pool
      .push(() => Promise.resolve())
      .then(() => add(folder, isNew))
      .catch((error: unknown) => {
        if (!isGone(error) && !isStopped) onTrouble(error);
      });
  }

  function changed(folder: string, event: string, name: string): void {
    if (isStopped || isLeftOut(folder, name)) return;
    const place = joined(folder, name);
    if (event === "rename") void cameOrWent(folder, place);
    // What happens to a folder itself (its time, its rights) is nothing to its books.
    else if (!watchers.has(place)) onFolder(folder);
  }

  async function cameOrWent(folder: string, place: string): Promise<void> {
    const stats = await lstat(path.join(root, place)).catch(() => null);
    // A folder of the same name may be another one.
    if (watchers.has(place)) drop(place);
    if (stats?.isDirectory() === true) await addLater(place, true);
    else onFolder(folder);
  }

  function drop(folder: string): void {
    for (const [known, watcher] of watchers) {
      if (!isWithin(known, folder)) continue;
      watcher.close();
      watchers.delete(known);
    }
  }

  return {
    start: () => add("", false),
    stop: async () => {
      isStopped = true;
      drop("");
    },
  };
}

/** Any file system, by looking at when its folders changed: every `pollMs`, holding a number per folder. */
export function createFolderPoll(place: Omit<WatchedPlace, "onTrouble">, pollMs: number): WatchSource {
  const { path: root, isLeftOut, onFolder } = place;
  let known: ReadonlyMap<string, number> = new Map();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  async function look(): Promise<ReadonlyMap<string, number>> {
    const seen = new Map<string, number>();
    const pool = fastq.promise<null, string>(async (folder) => {
      if (isStopped) return;
      try {
        seen.set(folder, (await stat(path.join(root, folder))).mtimeMs);
        for (const inside of await foldersIn(root, folder, isLeftOut)) void pool.push(inside);
      } catch (error) {
        // Of a root that is away nothing is concluded.
        if (folder === "" || !isGone(error)) throw error;
      }
    }, atOnce);
    await pool.push("");
    await pool.drained();
    return seen;
  }

  async function compare(): Promise<void> {
    const seen = await look().catch(() => null);
    if (seen !== null && !isStopped) {
      for (const [folder, mtimeMs] of seen) if (known.get(folder) !== mtimeMs) onFolder(folder);
      for (const folder of known.keys()) if (!seen.has(folder)) onFolder(folderOf(folder));
      known = seen;
    }
    schedule();
  }

  function schedule(): void {
    if (!isStopped) timer = setTimeout(() => void compare(), pollMs);
  }

  return {
    start: async () => {
      known = await look();
      schedule();
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

async function foldersIn(
  root: string,
  folder: string,
  isLeftOut: WatchedPlace["isLeftOut"],
): Promise<readonly string[]> {
  const entries = await readdir(path.join(root, folder), { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && !isLeftOut(folder, entry.name))
    .map(({ name }) => joined(folder, name));
}

function isGone(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "EACCES"].includes(systemCode(error) ?? "");
}

export function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** The folder that holds it, `''` for the root. */
export function folderOf(place: string): string {
  return place.slice(0, Math.max(0, place.lastIndexOf("/")));
}

/** Whether a folder is the other one or lies in it. */
export function isWithin(folder: string, above: string): boolean {
  return above === "" || folder === above || folder.startsWith(`${above}/`);
}
