import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { folderOf, isWithin, joined } from "./watch-sources.ts";

export interface SettleTimings {
  /** So long nothing must happen. */
  readonly quietMs: number;
  /** So long after its first event a folder is looked at although events keep coming. */
  readonly mostMs: number;
  /** So long the files must have stood still. */
  readonly standStillMs: number;
}

interface SettleOptions {
  /** Of the root, absolute. */
  readonly path: string;
  readonly timings: SettleTimings;
  readonly onSettled: (folders: readonly string[]) => void;
}

/** More folders than this are told as the one that holds them all. */
const mostFolders = 50;

/** What arrives together: the folders below one of the root's own, until all of it stands still. */
interface Arrival {
  readonly folders: Set<string>;
  firstMs: number;
  lastMs: number;
  /** Its files' sizes and times when they were last looked at, and since when they are so. */
  seen: string;
  sinceMs: number;
}

/**
 * Holds events back until what they tell of is whole: a file that is being copied, a download that comes file by file.
 * What lies below one folder of the root is told at once, when all its files stood still.
 */
export function createSettle({ path: root, timings, onSettled }: SettleOptions) {
  const arrivals = new Map<string, Arrival>();
  const tickMs = Math.max(10, Math.min(1000, timings.quietMs / 4));
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  function heard(folder: string): void {
    if (isStopped) return;
    const [name = ""] = folder.split("/");
    const nowMs = performance.now();
    const known = arrivals.get(name);
    const arrival = known ?? { folders: new Set(), firstMs: nowMs, lastMs: nowMs, seen: "", sinceMs: nowMs };
    arrivals.set(name, arrival);
    arrival.folders.add(folder);
    arrival.lastMs = nowMs;
    timer ??= setTimeout(tick, tickMs);
  }

  function tick(): void {
    timer = undefined;
    void settle().finally(() => {
      if (arrivals.size > 0 && !isStopped) timer ??= setTimeout(tick, tickMs);
    });
  }

  async function settle(): Promise<void> {
    await moveGone();
    const settled: string[] = [];
    for (const [name, arrival] of [...arrivals]) {
      const nowMs = performance.now();
      const isQuiet = nowMs - arrival.lastMs >= timings.quietMs || nowMs - arrival.firstMs >= timings.mostMs;
      if (!isQuiet || !(await standsStill(arrival, nowMs)) || isStopped) continue;
      arrivals.delete(name);
      settled.push(...arrival.folders);
    }
    if (settled.length > 0) onSettled(await thatExist(reduced(settled)));
  }

  /** What is gone with all its folders is a matter of the root. */
  async function moveGone(): Promise<void> {
    for (const name of [...arrivals.keys()]) {
      if (name === "" || (await exists(path.join(root, name)))) continue;
      arrivals.delete(name);
      heard("");
    }
  }

  async function standsStill(arrival: Arrival, nowMs: number): Promise<boolean> {
    const seen = (await Promise.all([...arrival.folders].map(filesOf))).join("\n");
    if (seen !== arrival.seen) {
      arrival.seen = seen;
      arrival.sinceMs = nowMs;
    }
    return nowMs - arrival.sinceMs >= timings.standStillMs;
  }

  /** Partial downloads too: as long as they grow there is more to come. */
  async function filesOf(folder: string): Promise<string> {
    const absolute = path.join(root, folder);
    const entries = await readdir(absolute, { withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    const facts = await Promise.all(
      files.map(async (name) => {
        const stats = await stat(path.join(absolute, name)).catch(() => null);
        return `${joined(folder, name)} ${stats?.size} ${stats?.mtimeMs}`;
      }),
    );
    return facts.join("\n");
  }

  async function thatExist(folders: readonly string[]): Promise<readonly string[]> {
    return reduced(await Promise.all(folders.map(nearest)));
  }

  async function nearest(folder: string): Promise<string> {
    const stats = await stat(path.join(root, folder)).catch(() => null);
    return folder === "" || stats?.isDirectory() === true ? folder : await nearest(folderOf(folder));
  }

  return {
    /** Something has happened in that folder. */
    heard,
    /** What lies in these folders, or holds them, is known already. */
    forget(folders: readonly string[]): void {
      for (const [name, arrival] of arrivals) {
        for (const folder of arrival.folders) {
          const isKnown = folders.some((known) => isWithin(folder, known) || isWithin(known, folder));
          if (isKnown) arrival.folders.delete(folder);
        }
        if (arrival.folders.size === 0) arrivals.delete(name);
      }
    },
    stop(): void {
      isStopped = true;
      clearTimeout(timer);
      arrivals.clear();
    },
  };
}

async function exists(absolute: string): Promise<boolean> {
  return await stat(absolute).then(
    () => true,
    () => false,
  );
}

/** Without those that lie in another one of them; of too many the folder that holds them all. */
function reduced(folders: readonly string[]): readonly string[] {
  const sorted = [...new Set(folders)].sort();
  const apart = sorted.filter(
    (folder) => !sorted.some((other) => other !== folder && isWithin(folder, other)),
  );
  if (apart.length <= mostFolders) return apart;
  let common = apart[0] ?? "";
  for (const folder of apart) while (!isWithin(folder, common)) common = folderOf(common);
  return [common];
}
