import { setImmediate as turn } from "node:timers/promises";
import type { Root } from "../domain/book.ts";
import type { OrganizeCatalogue } from "../domain/catalogue.ts";

/** Files that are kept as the books are: a while after each change, and all of them when asked. */
export interface BookFollower {
  /** Books were added, changed, moved or found missing: what is kept of them follows a little later. */
  changed(ids: readonly string[]): void;
  /** Looks at all books. Never rejects. */
  sync(): Promise<void>;
  /** Ends at the next book; the next start looks at all books. */
  stop(): Promise<void>;
}

interface FollowOptions {
  readonly isOn: () => boolean;
  /** Both end early where `isStopping` says so, and throw what goes wrong. */
  readonly update: (ids: readonly string[], isStopping: () => boolean) => Promise<void>;
  readonly syncAll: (isStopping: () => boolean) => Promise<void>;
  /** Told once for each thing that goes on being wrong. */
  readonly onFailure: (message: string) => void;
  /** A scan commits many times; what changed is looked at after this time, once for all of it. */
  readonly settleMs?: number | undefined;
}

const defaultSettleMs = 2_000;
const page = 200;

export function followBooks({ isOn, update, syncAll, onFailure, settleMs }: FollowOptions): BookFollower {
  const pending = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();
  let stopping = false;
  let told = "";
  const isStopping = (): boolean => stopping;

  /** One thing after the other. What goes wrong is told once. */
  function later(task: () => Promise<void>): Promise<void> {
    work = work.then(task).then(
      () => {
        told = "";
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        if (reason !== told) onFailure(reason);
        told = reason;
      },
    );
    return work;
  }

  return {
    changed(ids) {
      if (!isOn() || stopping) return;
      for (const id of ids) pending.add(id);
      timer ??= setTimeout(() => {
        timer = undefined;
        const now = [...pending];
        pending.clear();
        void later(() => update(now, isStopping));
      }, settleMs ?? defaultSettleMs).unref();
    },
    sync: () => later(() => syncAll(isStopping)),
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await work;
    },
  };
}

/** The ids of all books of the libraries, each between two turns of the event loop. */
export async function* libraryBooks(
  roots: readonly Root[],
  catalogue: Pick<OrganizeCatalogue, "booksOfRoot">,
): AsyncGenerator<string> {
  for (const { id: rootId } of roots.filter(({ kind }) => kind === "library")) {
    for (let after: string | null = null; ; ) {
      const ids: readonly string[] = catalogue.booksOfRoot(rootId, after, page);
      for (const id of ids) {
        yield id;
        await turn();
      }
      after = ids.at(-1) ?? null;
      if (ids.length < page) break;
    }
  }
}
