import type { Root } from "../domain/book.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import type { Operation } from "../domain/operation.ts";
import { toErrorRecord } from "../errors.ts";
import { createWatcher, type WatchTrouble } from "../library/watch.ts";
import { createIsLeftOut, type IsLeftOut } from "../scan/walk-ignore.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Logger } from "./logger.ts";
import type { Organizing } from "./organizing.ts";

interface WatchingOptions {
  readonly roots: readonly Root[];
  readonly live: () => LiveSettings;
  readonly organizing: Pick<Organizing, "touchedBy">;
  readonly log: Logger;
  /** Asks for a scan of that folder. */
  readonly requestScan: (root: Root, folder: string) => Promise<void>;
  /** Another root is polled instead of watched, or none is any more. */
  readonly onTroubles: () => void;
}

/** Scans what changes by itself, but not what the runner has changed. */
export interface Watching {
  /** Before it nothing is watched, whatever comes online. */
  start(online: readonly string[]): void;
  rootChanged(rootId: string, isOnline: boolean): void;
  /** To be told of each batch that has ended. */
  batchEnded(operation: Operation): void;
  /** The same diagnostics, with the roots that cannot be watched among them. */
  amend(diagnostics: Diagnostics): Diagnostics;
  applySettings(): void;
  stop(): Promise<void>;
}

/** Where more folders hold something new, the whole root is scanned. */
const mostScans = 50;

export function createWatching({
  roots,
  live,
  organizing,
  log,
  requestScan,
  onTroubles,
}: WatchingOptions): Watching {
  const troubles = new Map<string, WatchTrouble>();
  let isLeftOut: IsLeftOut = createIsLeftOut(live().ignore);
  let isStarted = false;
  const watcher = createWatcher({
    roots,
    isLeftOut: (folder, name) => isLeftOut(folder, name),
    onChanged: (rootId, folders) => void changed(rootId, folders),
    onTrouble: (rootId, trouble) => {
      if (trouble === null) troubles.delete(rootId);
      else troubles.set(rootId, trouble);
      onTroubles();
    },
  });

  async function changed(rootId: string, folders: readonly string[]): Promise<void> {
    const root = roots.find(({ id }) => id === rootId);
    if (root === undefined) return;
    log.debug(`changed in root ${rootId}: ${folders.map((folder) => folder || "all of it").join(", ")}`);
    for (const folder of folders) await requestScan(root, folder);
  }

  async function forgetOwn(operationId: string): Promise<void> {
    const touched = await organizing.touchedBy(operationId).catch(() => []);
    for (const [rootId, places] of Map.groupBy(touched, (place) => place.rootId)) {
      watcher.forget(
        rootId,
        places.map(({ folder }) => folder),
      );
      const news = new Set(places.flatMap(({ folder, isNews }) => (isNews ? folder : [])));
      if (news.size > 0) await changed(rootId, news.size > mostScans ? [""] : [...news]);
    }
  }

  function set(rootId: string, isOnline: boolean): void {
    watcher.setOnline(rootId, isOnline).catch((error: unknown) => {
      log.warn(`root ${rootId} is not watched: ${toErrorRecord(error).message}`);
    });
  }

  return {
    start: (online) => {
      isStarted = true;
      for (const rootId of online) set(rootId, true);
    },
    rootChanged: (rootId, isOnline) => {
      if (isStarted) set(rootId, isOnline);
    },
    batchEnded: ({ id }) => void forgetOwn(id),
    amend: ({ worst, checks }) => {
      const added = [...troubles].map(([rootId, { message, remedy }]) => ({
        check: `root_watched:${rootId}`,
        severity: "warn" as const,
        message,
        remedy,
      }));
      return { worst: worst === "ok" && added.length > 0 ? "warn" : worst, checks: [...checks, ...added] };
    },
    applySettings: () => {
      isLeftOut = createIsLeftOut(live().ignore);
    },
    stop: () => watcher.stop(),
  };
}
