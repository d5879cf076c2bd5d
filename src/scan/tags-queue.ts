import type { TrackResult } from "../domain/scan.ts";

/** One file that somebody waits for. */
export interface TagItem {
  readonly path: string;
  /** A worker died with it once: it is read alone. */
  readonly isSuspect: boolean;
  /** Whoever wanted it does not wait any more. */
  readonly isWanted: () => boolean;
  readonly settle: (result: TrackResult) => void;
  /** Fails the whole read that the file belongs to. */
  readonly fail: (error: unknown) => void;
}

/** The files of all reads in the order in which they came. */
export interface TagQueue {
  /** Resolves with a result for each path, in their order. `onAdded` is called when they can be taken. */
  add(paths: readonly string[], signal: AbortSignal | undefined, onAdded: () => void): Promise<TrackResult[]>;
  length(): number;
  /** The next ones that are still wanted, at most so many; one that is suspect comes alone. */
  take(count: number): readonly TagItem[];
  takeAll(): readonly TagItem[];
  /** Makes it the next one. */
  putBack(item: TagItem): void;
}

export function createTagQueue(): TagQueue {
  let items: TagItem[] = [];
  let first = 0;

  function next(): TagItem | undefined {
    const item = items[first];
    if (item === undefined) return undefined;
    first++;
    if (first > 1024 && first * 2 > items.length) {
      items = items.slice(first);
      first = 0;
    }
    return item;
  }

  function putBack(item: TagItem): void {
    if (first > 0) items[--first] = item;
    else items.unshift(item);
  }

  return {
    add: (paths, signal, onAdded) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const results: TrackResult[] = new Array(paths.length);
        let missing = paths.length;
        let isWanted = true;
        const end = (): void => {
          isWanted = false;
          signal?.removeEventListener("abort", abort);
        };
        const fail = (error: unknown): void => {
          end();
          reject(error);
        };
        const abort = (): void => fail(signal?.reason);
        if (missing === 0) {
          resolve([]);
          return;
        }
        signal?.addEventListener("abort", abort, { once: true });
        for (const [i, path] of paths.entries()) {
          items.push({
            path,
            isSuspect: false,
            isWanted: () => isWanted,
            settle(result) {
              results[i] = result;
              missing--;
              if (missing > 0) return;
              end();
              resolve(results);
            },
            fail,
          });
        }
        onAdded();
      }),
    length: () => items.length - first,
    take(count) {
      const taken: TagItem[] = [];
      while (taken.length < count) {
        const item = next();
        if (item === undefined) break;
        if (!item.isWanted()) continue;
        if (item.isSuspect && taken.length > 0) {
          putBack(item);
          break;
        }
        taken.push(item);
        if (item.isSuspect) break;
      }
      return taken;
    },
    takeAll() {
      const all = items.slice(first);
      items = [];
      first = 0;
      return all;
    },
    putBack,
  };
}
