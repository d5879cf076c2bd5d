import { setImmediate as turn } from "node:timers/promises";
import type { PlannableBook } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import type { Catalogue } from "../store/ports.ts";

type BookCatalogue = Pick<Catalogue, "plannableBook" | "booksOfRoot" | "query">;

/** Looked up between two turns of the event loop: a page takes some ten milliseconds, and a library has many. */
const page = 200;

/** The books with these ids, each once. Throws `not_found` for one that is not known. */
export async function namedBooks(
  catalogue: BookCatalogue,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly PlannableBook[]> {
  const books: PlannableBook[] = [];
  for (const id of new Set(ids)) {
    const book = catalogue.plannableBook(id);
    if (book === null) {
      throw new AppError("not_found", `There is no book with the id "${id}"`, { details: { book: id } });
    }
    books.push(book);
    if (books.length % page === 0) await breathe(signal);
  }
  return books;
}

/** The books that a text finds, of any state. */
export async function foundBooks(
  catalogue: BookCatalogue,
  text: string,
  signal: AbortSignal,
): Promise<readonly PlannableBook[]> {
  return await namedBooks(catalogue, await foundIds(catalogue, text, signal), signal);
}

/** The ids of the books that a text finds, of any state. */
export async function foundIds(
  catalogue: Pick<BookCatalogue, "query">,
  text: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let offset = 0; ; offset += page) {
    const { items, total } = catalogue.query({ text, limit: page, offset });
    ids.push(...items.map(({ id }) => id));
    if (items.length === 0 || offset + page >= total) break;
    await breathe(signal);
  }
  return ids;
}

/** All books that are there in these roots. */
export async function booksOfRoots(
  catalogue: BookCatalogue,
  rootIds: readonly string[],
  signal: AbortSignal,
): Promise<readonly PlannableBook[]> {
  const books: PlannableBook[] = [];
  for await (const ids of pagesOfRoots(catalogue, rootIds, signal)) {
    books.push(...(await namedBooks(catalogue, ids, signal)));
  }
  return books;
}

/** The ids of all books that are there in these roots, a page at a time. */
export async function* pagesOfRoots(
  catalogue: Pick<BookCatalogue, "booksOfRoot">,
  rootIds: readonly string[],
  signal: AbortSignal,
): AsyncGenerator<readonly string[]> {
  for (const rootId of rootIds) {
    let after: string | null = null;
    do {
      const ids = catalogue.booksOfRoot(rootId, after, page);
      yield ids;
      after = ids.length < page ? null : (ids.at(-1) ?? null);
      await breathe(signal);
    } while (after !== null);
  }
}

/** Lets everything else have its turn. Throws the signal's reason. */
async function breathe(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await turn();
}
