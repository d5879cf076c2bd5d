import { statfs } from "node:fs/promises";
import type { Root } from "../domain/book.ts";
import { systemCode } from "../errors.ts";
import { createSettle, type SettleTimings } from "./watch-settle.ts";
import {
  createFileWatch,
  createFolderPoll,
  createFolderWatch,
  isWithin,
  type WatchedPlace,
  type WatchSource,
} from "./watch-sources.ts";

/** Why a root is looked at in turns instead of being told of changes at once. */
export interface WatchTrouble {
  readonly message: string;
  readonly remedy: string;
}

interface WatcherOptions {
  readonly roots: readonly Pick<Root, "id" | "path" | "kind" | "watch">[];
  readonly isLeftOut: WatchedPlace["isLeftOut"];
  /** Folders in which something has changed and stands still by now; `''` is the root itself. */
  readonly onChanged: (rootId: string, folders: readonly string[]) => void;
  /** Null when it is over. */
  readonly onTrouble: (rootId: string, trouble: WatchTrouble | null) => void;
  readonly timings?: Partial<SettleTimings & { readonly pollMs: number }>;
}

export interface Watcher {
  /** Begins and ends watching a root, as its disk comes and goes; resolves when that is done. */
  setOnline(rootId: string, isOnline: boolean): Promise<void>;
  /** What happened, and happens in the next seconds, in these folders is our own doing. */
  forget(rootId: string, folders: readonly string[]): void;
  stop(): Promise<void>;
}

const usualTimings = { quietMs: 5_000, mostMs: 60_000, standStillMs: 5_000, pollMs: 60_000 };
/** Events come a little later than what they tell of. */
const ownMs = 2_000;

/** By the numbers of their kind (statfs): what changes on the other end of the network is told to nobody here. */
const remoteSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, "NFS"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB"],
  [0x517b, "SMB"],
  [0x01021997, "9P"],
  [0x65735546, "FUSE"],
]);

/** Notices by itself what changes in the roots, and tells the folders when all in them is whole. */
export function createWatcher(options: WatcherOptions): Watcher {
  const timings = { ...usualTimings, ...options.timings };
  const watched = new Map<string, ReturnType<typeof watchRoot>>();
  /** One change of a root after the other. */
  let turn: Promise<void> = Promise.resolve();

  function watchRoot(root: WatcherOptions["roots"][number]) {
    const settle = createSettle({
      path: root.path,
      timings,
      onSettled: (folders) => options.onChanged(root.id, folders),
    });
    let own: { readonly folders: readonly string[]; readonly untilMs: number } = { folders: [], untilMs: 0 };
    const onFolder = (folder: string): void => {
      const isOwn = performance.now() < own.untilMs && touches(own.folders, folder);
      if (!isOwn) settle.heard(folder);
    };
    const place = { path: root.path, isLeftOut: options.isLeftOut, onFolder };
    let source: WatchSource | null = null;
    let isPolled = false;
    let isStopped = false;

    async function poll(trouble: WatchTrouble): Promise<void> {
      if (isPolled || isStopped) return;
      isPolled = true;
      options.onTrouble(root.id, trouble);
      await source?.stop();
      if (isStopped) return;
      source = createFolderPoll(place, timings.pollMs);
      await source.start();
      // What happened while it was not watched whole.
      settle.heard("");
    }

    return {
      async start(): Promise<void> {
        const remote = remoteSystems.get((await statfs(root.path)).type);
        if (remote !== undefined) {
          await poll(remoteTrouble(root.path, remote, timings.pollMs));
          return;
        }
        const create = root.kind === "inbox" ? createFileWatch : createFolderWatch;
        const onTrouble = (error: unknown): void => {
          if (isLimit(error)) void poll(limitTrouble(root.path, timings.pollMs)).catch(() => {});
        };
        source = create({ ...place, onTrouble });
        await source.start().catch(onTrouble);
      },
      forget(folders: readonly string[]): void {
        own = { folders, untilMs: performance.now() + ownMs };
        settle.forget(folders);
      },
      async stop(): Promise<void> {
        isStopped = true;
        settle.stop();
        await source?.stop();
        if (isPolled) options.onTrouble(root.id, null);
      },
    };
  }

  async function set(rootId: string, isOnline: boolean): Promise<void> {
    const root = options.roots.find(({ id }) => id === rootId);
    const known = watched.get(rootId);
    if (root === undefined || !root.watch || isOnline === (known !== undefined)) return;
    if (known !== undefined) {
      watched.delete(rootId);
      await known.stop();
      return;
    }
    const begun = watchRoot(root);
    watched.set(rootId, begun);
    await begun.start();
  }

  return {
    setOnline: (rootId, isOnline) => {
      const change = () => set(rootId, isOnline);
      const done = turn.then(change);
      turn = done.catch(() => {});
      return done;
    },
    forget: (rootId, folders) => watched.get(rootId)?.forget(folders),
    stop: async () => {
      await turn;
      await Promise.all([...watched.values()].map((root) => root.stop()));
      watched.clear();
    },
  };
}

function touches(folders: readonly string[], folder: string): boolean {
  return folders.some((own) => isWithin(folder, own) || isWithin(own, folder));
}

/** The system's limits of watches and of open files. */
function isLimit(error: unknown): boolean {
  return ["ENOSPC", "EMFILE", "ENFILE"].includes(systemCode(error) ?? "");
}

function limitTrouble(path: string, pollMs: number): WatchTrouble {
  return {
    message: `the system allows too few watches for the folders of ${path}: it is looked through every ${pollMs / 1000} s instead`,
    remedy: "raise the limit: sysctl fs.inotify.max_user_watches=524288",
  };
}

function remoteTrouble(path: string, system: string, pollMs: number): WatchTrouble {
  return {
    message: `${path} lies on ${system}, which does not tell of all changes: it is looked through every ${pollMs / 1000} s instead`,
    remedy: "nothing has to be done; a scan on request sees changes at once",
  };
}
