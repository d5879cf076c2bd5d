import { syncFolder } from "../files/sync.ts";

/**
 * Makes folders' names durable. Calls for one folder at the same time share one sync, but never one that had begun
 * before the call: it may have missed what the caller did.
 */
export function createFolderSync(): (folder: string) => Promise<void> {
  const next = new Map<string, Promise<void>>();
  const running = new Map<string, Promise<void>>();

  return (folder) => {
    const waiting = next.get(folder);
    if (waiting !== undefined) return waiting;
    const before = running.get(folder) ?? Promise.resolve();
    const sync = before
      .catch(() => {
        // Told to whoever asked for that one.
      })
      .then(() => {
        next.delete(folder);
        running.set(folder, sync);
        return syncFolder(folder);
      })
      .finally(() => {
        if (running.get(folder) === sync) running.delete(folder);
      });
    next.set(folder, sync);
    return sync;
  };
}
