import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import fastq from "fastq";
import type { StateBody } from "../bus/topics.ts";
import type { Config } from "../config/schema.ts";
import type { Book } from "../domain/book.ts";
import { pictureExtension } from "../domain/picture.ts";
import type { Catalogue } from "../store/ports.ts";

interface CoversShownOptions {
  /** Where a hub reaches the HTTP port, without a slash at the end. */
  readonly url: string;
  readonly catalogue: Pick<Catalogue, "book" | "newestBooks">;
  readonly roots: Config["roots"];
  /** Fetched covers are named below it. */
  readonly dataDir: string;
  readonly readPicture: (file: string) => Promise<Uint8Array | null>;
}

/** A picture and its media type. */
interface ShownCover {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export interface CoversShown {
  /** The newest book that has a cover; null where none of the newest has one. */
  newest(): StateBody<"cover"> | null;
  /** Null where there is no such book, or no picture that can be read. */
  picture(bookId: string): Promise<ShownCover | null>;
}

/** Books that are looked at for a cover, and pictures that are read at once: each may be of ten megabytes. */
const newestOf = 20;
const atOnce = 2;
const maxPictureBytes = 10_000_000;

/** Shows covers to whoever reaches the HTTP port: only what is a picture by its first bytes, and belongs to a book. */
export function createCoversShown(options: CoversShownOptions): CoversShown {
  const { url, catalogue, roots } = options;
  const pool = fastq.promise<null, Book, Uint8Array | null>(read, atOnce);

  async function read({ rootId, cover }: Book): Promise<Uint8Array | null> {
    if (cover === null) return null;
    const folder = cover.kind === "fetched" ? options.dataDir : roots.find(({ id }) => id === rootId)?.path;
    if (folder === undefined) return null;
    const file = path.join(folder, cover.path);
    if (cover.kind === "embedded") return await options.readPicture(file);
    const { size } = await stat(file);
    return size > maxPictureBytes ? null : await readFile(file);
  }

  return {
    newest: () => {
      const book = catalogue.newestBooks(newestOf).find(({ hasCover }) => hasCover);
      if (book === undefined) return null;
      // The address is another when the book is: a hub keeps the picture of an address.
      const version = Date.parse(book.changedAt).toString(36);
      return {
        book: { id: book.id, title: book.title, authors: book.authors },
        url: `${url}/covers/${book.id}?${version}`,
        added_at: book.addedAt,
      };
    },
    picture: async (bookId) => {
      const book = catalogue.book(bookId);
      if (book === null) return null;
      const bytes = await pool.push(book).catch(() => null);
      const extension = bytes === null ? null : pictureExtension(bytes);
      if (bytes === null || extension === null) return null;
      return { type: `image/${extension === "jpg" ? "jpeg" : extension}`, bytes };
    },
  };
}
