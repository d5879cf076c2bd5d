import { setImmediate as turn } from "node:timers/promises";
import type { Book, Root } from "../domain/book.ts";
import type { OrganizeCatalogue } from "../domain/catalogue.ts";
import { foldText } from "../domain/text.ts";
import { positionKey } from "../store/sort-keys.ts";
import { type BookFollower, followBooks, libraryBooks } from "./follow-books.ts";
import { openPlaylistFolder, type PlaylistFolder } from "./playlist-folder.ts";
import { isListable, type PlaylistContent, playlistText } from "./playlist-text.ts";

export interface PlaylistDeps {
  /** Where they go; null while there are none. */
  readonly folder: () => string | null;
  readonly roots: readonly Root[];
  readonly catalogue: Pick<OrganizeCatalogue, "booksOfRoot"> & { book(id: string): Book | null };
  readonly warn: (message: string) => void;
  /** As `followBooks` has it. */
  readonly settleMs?: number;
}

/**
 * Keeps an M3U8 for every book of a library that has several files, and for every series, its books in their order. A
 * file of somebody else's is never touched, ours then gets another name; one of ours that its owner has changed is left
 * alone. Books whose disk is away keep theirs.
 */
export function createPlaylists(deps: PlaylistDeps): BookFollower {
  let kept: Keeper | null = null;

  async function update(ids: readonly string[], isStopping: () => boolean): Promise<void> {
    if (kept === null || kept.wanted !== deps.folder()) return await syncAll(isStopping);
    const series = new Set<string>();
    for (const id of ids) {
      if (isStopping()) return;
      for (const key of await kept.putBook(id)) series.add(key);
      await turn();
    }
    await putAllSeries(kept, series, isStopping);
    await kept.settle();
  }

  async function syncAll(isStopping: () => boolean): Promise<void> {
    const wanted = deps.folder();
    kept = null;
    if (wanted === null || isStopping()) return;
    const keeper = createKeeper(deps, wanted, await openPlaylistFolder(wanted));
    for await (const id of libraryBooks(deps.roots, deps.catalogue)) {
      if (isStopping()) return;
      await keeper.putBook(id);
    }
    await putAllSeries(keeper, keeper.series(), isStopping);
    if (isStopping()) return;
    await keeper.removeOthers();
    await keeper.settle();
    kept = keeper;
  }

  async function putAllSeries(
    keeper: Keeper,
    series: Iterable<string>,
    isStopping: () => boolean,
  ): Promise<void> {
    for (const key of series) {
      if (isStopping()) return;
      await keeper.putSeries(key);
      await turn();
    }
  }

  return followBooks({
    isOn: () => deps.folder() !== null,
    update,
    syncAll,
    onFailure: (reason) => {
      // All is looked at again with the next change.
      kept = null;
      deps.warn(`playlists could not be written: ${reason}`);
    },
    settleMs: deps.settleMs,
  });
}

/** The playlists of one folder, and who is in which series. */
interface Keeper {
  readonly wanted: string;
  /** Writes or removes the book's own playlist; answers with the series that it is in, or was. */
  putBook(id: string): Promise<readonly string[]>;
  putSeries(key: string): Promise<void>;
  series(): Iterable<string>;
  /** Removes playlists of what was not put. */
  removeOthers(): Promise<void>;
  settle(): Promise<void>;
}

function createKeeper({ catalogue, roots }: PlaylistDeps, wanted: string, folder: PlaylistFolder): Keeper {
  /** Books by series, and series by book: of a book that has left a series only this tells which it was. */
  const members = new Map<string, Set<string>>();
  const seriesOf = new Map<string, readonly string[]>();
  /** What is as it should be, until that is known of all. */
  let put: Set<string> | null = new Set();

  const libraries = new Map(roots.filter(({ kind }) => kind === "library").map(({ id, path }) => [id, path]));
  const places = { folder: folder.path, rootPath: (rootId: string) => libraries.get(rootId) ?? "" };

  /** Null for one that is in no library, or not there to be played. */
  function bookOf(id: string): Book | null {
    const book = catalogue.book(id);
    if (book === null || !libraries.has(book.rootId) || !isListable(book)) return null;
    return book.state === "present" || book.state === "offline" ? book : null;
  }

  function enroll(id: string, keys: readonly string[]): void {
    for (const key of seriesOf.get(id) ?? []) members.get(key)?.delete(id);
    for (const key of keys) members.set(key, (members.get(key) ?? new Set()).add(id));
    if (keys.length === 0) seriesOf.delete(id);
    else seriesOf.set(id, keys);
  }

  async function write(name: string, content: PlaylistContent): Promise<void> {
    put?.add(content.key);
    await folder.put(content.key, name, playlistText(content, places));
  }

  return {
    wanted,
    async putBook(id) {
      const book = bookOf(id);
      const left = seriesOf.get(id) ?? [];
      const joined = unique(book?.series.map(({ name }) => foldText(name)) ?? []);
      enroll(id, joined);
      const key = `book:${id}`;
      // Nothing is concluded from a disk that is away.
      if (book?.state === "offline") put?.add(key);
      else if (book === null || book.tracks.length < 2) await folder.remove(key);
      else {
        const [author] = book.authors;
        const name = author === undefined ? book.title : `${author} - ${book.title}`;
        await write(name, { key, title: book.title, books: [book] });
      }
      return unique([...left, ...joined]);
    },
    async putSeries(seriesKey) {
      const key = `series:${seriesKey}`;
      const books = [...(members.get(seriesKey) ?? [])].flatMap((id) => bookOf(id) ?? []);
      if (books.length === 0) {
        members.delete(seriesKey);
        await folder.remove(key);
      } else if (books.some(({ state }) => state === "offline")) {
        put?.add(key);
      } else {
        const ordered = inOrder(books, seriesKey);
        const name = placeIn(ordered[0], seriesKey)?.name ?? seriesKey;
        await write(name, { key, title: name, books: ordered });
      }
    },
    series: () => [...members.keys()],
    async removeOthers() {
      for (const key of folder.keys()) if (put?.has(key) !== true) await folder.remove(key);
      put = null;
    },
    settle: () => folder.settle(),
  };
}

function inOrder(books: readonly Book[], seriesKey: string): readonly Book[] {
  const order = (book: Book) =>
    `${positionKey(placeIn(book, seriesKey)?.position)}\0${foldText(book.title)}\0${book.id}`;
  return books
    .map((book) => ({ book, key: order(book) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ book }) => book);
}

function placeIn(book: Book | undefined, seriesKey: string): Book["series"][number] | undefined {
  return book?.series.find(({ name }) => foldText(name) === seriesKey);
}

function unique(keys: readonly string[]): readonly string[] {
  return [...new Set(keys)];
}
