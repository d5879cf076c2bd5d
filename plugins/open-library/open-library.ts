import { z } from "zod";
import {
  type BookFields,
  plainText,
  type Source,
  type SourceBook,
  type SourcePlugin,
} from "../../src/plugin.ts";

/* Open Library: https://openlibrary.org/developers/api. Works by search, editions by ISBN, many of them at once. */

const usual = { api: "https://openlibrary.org", covers: "https://covers.openlibrary.org" };
const searchFields = "key,title,subtitle,author_name,first_publish_year,isbn,cover_i,language";

/** https://openlibrary.org/dev/docs/api/search; unknown keys are passed over. */
const searchAnswer = z.object({
  docs: z.array(
    z.object({
      key: z.string(),
      title: z.string(),
      subtitle: z.string().optional(),
      author_name: z.array(z.string()).optional(),
      first_publish_year: z.number().optional(),
      isbn: z.array(z.string()).optional(),
      cover_i: z.number().optional(),
      language: z.array(z.string()).optional(),
    }),
  ),
});

/** https://openlibrary.org/dev/docs/api/books with `jscmd=data`. */
const booksAnswer = z.record(
  z.string(),
  z.object({
    key: z.string(),
    title: z.string(),
    subtitle: z.string().optional(),
    authors: z.array(z.object({ name: z.string() })).optional(),
    publishers: z.array(z.object({ name: z.string() })).optional(),
    publish_date: z.string().optional(),
    identifiers: z.record(z.string(), z.array(z.string())).optional(),
    excerpts: z.unknown().optional(),
    notes: z.string().optional(),
    cover: z.object({ large: z.string() }).partial().optional(),
  }),
);

type Doc = z.output<typeof searchAnswer>["docs"][number];
type Edition = z.output<typeof booksAnswer>[string];

export const openLibrary: SourcePlugin = {
  kind: "source",
  name: "open-library",
  create: ({ baseUrl }): Source => {
    const api = baseUrl ?? usual.api;
    const covers = baseUrl ?? usual.covers;

    async function search(
      params: Readonly<Record<string, string>>,
      call: Parameters<Source["search"]>[1],
    ): Promise<readonly SourceBook[]> {
      const asked = new URLSearchParams({ ...params, fields: searchFields, limit: "10" });
      const answer = await call.getJson(new URL(`${api}/search.json?${asked}`));
      return answer === null ? [] : searchAnswer.parse(answer).docs.map((doc) => bookOfDoc(doc, covers));
    }

    const source: Source = {
      name: "open-library",
      goodFor: ["title", "subtitle", "authors", "year", "publisher", "isbn", "cover"],
      looksUp: ["isbn", "own"],
      // https://openlibrary.org/developers/api: one a second, three for those who say who they are.
      requestsPerSecond: 3,
      search: ({ title, author }, call) => search({ title, ...(author === null ? {} : { author }) }, call),
      get: async (kind, id, call) => {
        if (kind === "own") return (await search({ q: `key:${id}` }, call))[0] ?? null;
        return (await source.many?.get(kind, [id], call))?.get(id) ?? null;
      },
      many: {
        kinds: ["isbn"],
        // The address gets long: 50 ISBNs are 1 KB.
        most: 50,
        get: async (_kind, ids, call) => {
          const keys = ids.map((id) => `ISBN:${id}`).join(",");
          const asked = new URLSearchParams({ bibkeys: keys, format: "json", jscmd: "data" });
          const answer = await call.getJson(new URL(`${api}/api/books?${asked}`));
          const found = answer === null ? {} : booksAnswer.parse(answer);
          return new Map(
            Object.entries(found).map(([key, edition]) => {
              const id = key.replace(/^ISBN:/, "");
              return [id, bookOfEdition(edition, id)] as const;
            }),
          );
        },
      },
    };
    return source;
  },
};

function bookOfDoc(doc: Doc, covers: string): SourceBook {
  const { title, subtitle, author_name: authors, first_publish_year: year } = doc;
  return {
    id: doc.key,
    // A work has the ISBNs and the languages of all its editions, so it says nothing about this one's.
    fields: {
      title,
      ...(subtitle === undefined ? {} : { subtitle }),
      ...(authors === undefined ? {} : { authors }),
      ...(year === undefined ? {} : { year }),
    },
    durationSeconds: null,
    coverUrl: doc.cover_i === undefined ? null : `${covers}/b/id/${doc.cover_i}-L.jpg`,
  };
}

function bookOfEdition(edition: Edition, isbn: string): SourceBook {
  const { title, subtitle, authors, publishers, publish_date: date, notes } = edition;
  const year = /\b(1[5-9]|20)\d\d\b/.exec(date ?? "")?.[0];
  const [publisher] = publishers ?? [];
  const fields: BookFields = {
    title,
    ...(subtitle === undefined ? {} : { subtitle }),
    ...(authors === undefined ? {} : { authors: authors.map(({ name }) => name) }),
    ...(publisher === undefined ? {} : { publisher: publisher.name }),
    ...(year === undefined ? {} : { year: Number(year) }),
    ...(notes === undefined ? {} : { description: plainText(notes) }),
    isbn,
  };
  return { id: edition.key, fields, durationSeconds: null, coverUrl: edition.cover?.large ?? null };
}
