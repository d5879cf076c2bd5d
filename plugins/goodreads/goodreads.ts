import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import {
  foldText,
  parseSeries,
  type Source,
  type SourceBook,
  type SourcePlugin,
  splitPeople,
} from "../../src/plugin.ts";

/*
 * The user's own books at Goodreads, from the file that it exports (My Books → Import and export; its API is closed since
 * 2020). `file` says where it is; a newer one is read by itself.
 */

/** The columns of an export that say something about a book; others are passed over. */
const rowShape = z.object({
  "Book Id": z.string().min(1),
  Title: z.string().min(1),
  Author: z.string(),
  "Additional Authors": z.string().optional(),
  ISBN: z.string().optional(),
  ISBN13: z.string().optional(),
  Publisher: z.string().optional(),
  "Year Published": z.string().optional(),
  "Original Publication Year": z.string().optional(),
});

type Row = z.output<typeof rowShape>;

interface Shelf {
  readonly books: readonly SourceBook[];
  /** Folded titles with authors, in the books' order. */
  readonly texts: readonly string[];
}

export const goodreads: SourcePlugin = {
  kind: "source",
  name: "goodreads",
  create: ({ file }): Source | null => {
    if (file === null) return null;
    let shelf: Promise<Shelf> | null = null;
    let readMtimeMs = -1;

    async function current(path: string): Promise<Shelf> {
      const { mtimeMs } = await stat(path);
      if (shelf === null || mtimeMs !== readMtimeMs) {
        readMtimeMs = mtimeMs;
        shelf = readShelf(path);
        // One that cannot be read is read again when it is asked for again.
        shelf.catch(() => {
          shelf = null;
        });
      }
      return await shelf;
    }

    return {
      name: "goodreads",
      goodFor: ["title", "authors", "series", "year", "publisher", "isbn"],
      looksUp: ["isbn", "own"],
      requestsPerSecond: null,
      search: async ({ title, author }) => {
        const { books, texts } = await current(file);
        const words = foldText(`${title} ${author ?? ""}`).match(/[\p{L}\p{N}]+/gu) ?? [];
        const places = texts.flatMap((text, place) =>
          words.every((word) => text.includes(word)) ? [place] : [],
        );
        return places.slice(0, 10).flatMap((place) => books[place] ?? []);
      },
      get: async (kind, id) => {
        const { books } = await current(file);
        return books.find((book) => (kind === "own" ? book.id : book.fields.isbn) === id) ?? null;
      },
    };
  },
};

async function readShelf(path: string): Promise<Shelf> {
  const { parse } = await import("csv-parse/sync");
  const rows: readonly unknown[] = parse(await readFile(path), {
    columns: true,
    bom: true,
    relax_column_count: true,
  });
  const books = z.array(rowShape).parse(rows).map(bookOf);
  const texts = books.map(({ fields }) =>
    foldText(
      [fields.title, ...(fields.authors ?? []), ...(fields.series ?? []).map(({ name }) => name)].join(" "),
    ),
  );
  return { books, texts };
}

function bookOf(row: Row): SourceBook {
  // "The Final Empire (Mistborn, #1)"
  const inBrackets = /^(.*\S)\s*\(([^()]+)\)$/.exec(row.Title);
  const series = (inBrackets?.[2] ?? "").split(";").flatMap((text) => parseSeries(text) ?? []);
  const title = series.length > 0 ? (inBrackets?.[1] ?? row.Title) : row.Title;
  const authors = splitPeople([row.Author, ...(row["Additional Authors"] ?? "").split(",")]);
  const isbn = bare(row.ISBN13) || bare(row.ISBN);
  const year = Number(row["Original Publication Year"] || row["Year Published"] || Number.NaN);
  return {
    id: row["Book Id"],
    fields: {
      title,
      authors,
      ...(series.length === 0 ? {} : { series }),
      ...(isbn === "" ? {} : { isbn }),
      ...(Number.isInteger(year) && year > 0 ? { year } : {}),
      ...(row.Publisher ? { publisher: row.Publisher } : {}),
    },
    durationSeconds: null,
    coverUrl: null,
  };
}

/** `="9780765311788"`, so that no spreadsheet takes it for a number. */
function bare(text: string | undefined): string {
  return (text ?? "").replace(/[^\dXx]/g, "");
}
