import { mkdir, open, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { Book, Root } from "../domain/book.ts";
import type { BookCatalogue, OrganizeCatalogue } from "../domain/catalogue.ts";
import { safeFileName } from "../domain/safe-name.ts";
import { foldText } from "../domain/text.ts";
import { writeDurably } from "../store/durable.ts";
import { playlistKey, playlistText } from "./playlist-text.ts";
import { foldPath } from "./target.ts";

export interface PlaylistDeps {
  /** Where they go; null while there are none. */
  readonly folder: () => string | null;
  readonly roots: readonly Root[];
  readonly catalogue: Pick<BookCatalogue, "query"> &
    Pick<OrganizeCatalogue, "booksOfRoot"> & { book(id: string): Book | null };
  readonly warn: (message: string) => void;
}

export interface Playlists {
  /** Books were added, changed, moved or found missing: their playlists follow a little later. */
  changed(ids: readonly string[]): void;
  /** Looks at all books. Never rejects. */
  sync(): Promise<void>;
  /** Ends what is being written. */
  stop(): Promise<void>;
}

/** A scan commits many times; a playlist of a series is written once for all of it. */
const settleMs = 2_000;
const page = 200;
const extension = "m3u8";

/**
 * Keeps an M3U8 for every present book of several files and for every series, the books in their order. Playlists of
 * ours are known by a line in them; a file of somebody else's is never touched, ours then gets another name.
 */
export function createPlaylists(deps: PlaylistDeps): Playlists {
  const { catalogue } = deps;
  /** Our files by key, and the keys by folded name. */
  const files = new Map<string, string>();
  const pending = new Set<string>();
  const seriesOf = new Map<string, readonly string[]>();
  let scannedFolder: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let work: Promise<void> = Promise.resolve();

  function later(task: () => Promise<void>): Promise<void> {
    work = work.then(task).catch((error: unknown) => {
      deps.warn(`playlists could not be written: ${error instanceof Error ? error.message : String(error)}`);
    });
    return work;
  }

  async function update(ids: readonly string[]): Promise<void> {
    const folder = await folderInUse();
    if (folder === null) return;
    const series = new Map<string, string>();
    for (const id of ids) {
      const book = catalogue.book(id);
      const names = book === null ? [] : book.series.map(({ name }) => name);
      for (const name of [...(seriesOf.get(id) ?? []), ...names]) series.set(foldText(name), name);
      if (names.length === 0) seriesOf.delete(id);
      else seriesOf.set(id, names);
      await putBook(folder, id, book);
      await turn();
    }
    for (const [key, name] of series) await putSeries(folder, key, name);
  }

  async function putBook(folder: string, id: string, book: Book | null): Promise<void> {
    const isListed = book?.state === "present" && book.tracks.length > 1;
    if (!isListed) return await remove(folder, `book:${id}`);
    const [author] = book.authors;
    const name = author === undefined ? book.title : `${author} - ${book.title}`;
    await put(folder, `book:${id}`, name, book.title, [book]);
  }

  async function putSeries(folder: string, key: string, name: string): Promise<void> {
    const books = booksOfSeries(key, name);
    if (books.length === 0) return await remove(folder, `series:${key}`);
    await put(folder, `series:${key}`, name, name, books);
  }

  /** The query finds names that hold this one; only this one is meant. */
  function booksOfSeries(key: string, name: string): readonly Book[] {
    const ids: string[] = [];
    for (let offset = 0; ; offset += page) {
      const { items } = catalogue.query({
        series: name,
        state: "present",
        sort: "series",
        limit: page,
        offset,
      });
      ids.push(
        ...items
          .filter(({ series }) => series.some((each) => foldText(each.name) === key))
          .map(({ id }) => id),
      );
      if (items.length < page) break;
    }
    return ids.flatMap((id) => catalogue.book(id) ?? []);
  }

  async function put(
    folder: string,
    key: string,
    name: string,
    title: string,
    books: readonly Book[],
  ): Promise<void> {
    const text = playlistText(key, title, books, rootPath, folder);
    const file = await freeName(folder, key, name);
    const before = files.get(key);
    if (before !== undefined && before !== file) await rm(path.join(folder, before), { force: true });
    files.set(key, file);
    if ((await readStart(path.join(folder, file), Buffer.byteLength(text) + 1)) === text) return;
    await writeDurably(path.join(folder, file), text, 0o644);
  }

  async function remove(folder: string, key: string): Promise<void> {
    const file = files.get(key);
    if (file === undefined) return;
    files.delete(key);
    await rm(path.join(folder, file), { force: true });
  }

  /** The wanted name, or one with a number where another playlist or somebody else's file has it. */
  async function freeName(folder: string, key: string, name: string): Promise<string> {
    const owners = new Map([...files].map(([owner, file]) => [foldPath(file), owner]));
    for (let number = 1; ; number++) {
      const file = safeFileName(name, number === 1 ? "" : ` (${number})`, extension);
      const owner = owners.get(foldPath(file));
      if (owner === key) return file;
      if (owner !== undefined) continue;
      const text = await readStart(path.join(folder, file), 4096);
      if (text === null || playlistKey(text) === key) return file;
    }
  }

  /** The folder, with what of ours is in it read once. */
  async function folderInUse(): Promise<string | null> {
    const folder = deps.folder();
    if (folder === null || folder === scannedFolder) return folder;
    await mkdir(folder, { recursive: true });
    files.clear();
    for (const file of await readdir(folder)) {
      if (!file.endsWith(`.${extension}`)) continue;
      const key = playlistKey((await readStart(path.join(folder, file), 4096)) ?? "");
      if (key !== null) files.set(key, file);
    }
    scannedFolder = folder;
    return folder;
  }

  function rootPath(rootId: string): string {
    return deps.roots.find(({ id }) => id === rootId)?.path ?? "";
  }

  async function syncAll(): Promise<void> {
    const folder = await folderInUse();
    if (folder === null) return;
    const known = new Set<string>();
    for (const { id: rootId } of deps.roots) {
      for (let after: string | null = null; ; ) {
        const ids: readonly string[] = catalogue.booksOfRoot(rootId, after, page);
        for (const id of ids) known.add(id);
        await update(ids);
        after = ids.at(-1) ?? null;
        if (ids.length < page) break;
      }
    }
    for (const key of [...files.keys()]) {
      if (key.startsWith("book:") && !known.has(key.slice("book:".length))) await remove(folder, key);
      if (key.startsWith("series:")) {
        const series = key.slice("series:".length);
        if (booksOfSeries(series, series).length === 0) await remove(folder, key);
      }
    }
  }

  return {
    changed(ids) {
      if (deps.folder() === null) return;
      for (const id of ids) pending.add(id);
      timer ??= setTimeout(() => {
        timer = undefined;
        const now = [...pending];
        pending.clear();
        void later(() => update(now));
      }, settleMs).unref();
    },
    sync: () => later(syncAll),
    async stop() {
      clearTimeout(timer);
      const now = [...pending];
      pending.clear();
      await later(() => update(now));
    },
  };
}

/** The first bytes of a file as text; null where it is not there. */
async function readStart(file: string, bytes: number): Promise<string | null> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (handle === null) return null;
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}
