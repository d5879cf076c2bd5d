import { z } from "zod";
import {
  plainText,
  type Source,
  type SourceBook,
  type SourceCall,
  type SourcePlugin,
} from "../../src/plugin.ts";

/* Google Books: https://developers.google.com/books/docs/v1/reference/volumes. A key (`token`) raises its daily quota. */

const usual = "https://www.googleapis.com";

const volume = z.object({
  id: z.string(),
  volumeInfo: z.object({
    title: z.string(),
    subtitle: z.string().optional(),
    authors: z.array(z.string()).optional(),
    publisher: z.string().optional(),
    publishedDate: z.string().optional(),
    description: z.string().optional(),
    industryIdentifiers: z.array(z.object({ type: z.string(), identifier: z.string() })).optional(),
    categories: z.array(z.string()).optional(),
    imageLinks: z.record(z.string(), z.string()).optional(),
    language: z.string().optional(),
  }),
});

const volumes = z.object({ items: z.array(volume).optional() });

type Volume = z.output<typeof volume>;

export const googleBooks: SourcePlugin = {
  kind: "source",
  name: "google-books",
  create: ({ baseUrl, token }): Source => {
    const address = `${baseUrl ?? usual}/books/v1/volumes`;
    const key = token === null ? {} : { key: token };

    async function find(query: string, call: SourceCall): Promise<readonly SourceBook[]> {
      const asked = new URLSearchParams({ q: query, maxResults: "10", printType: "books", ...key });
      const answer = await call.getJson(new URL(`${address}?${asked}`));
      return answer === null ? [] : (volumes.parse(answer).items ?? []).map(bookOf);
    }

    return {
      name: "google-books",
      goodFor: [
        "title",
        "subtitle",
        "authors",
        "year",
        "publisher",
        "description",
        "genres",
        "isbn",
        "language",
      ],
      looksUp: ["isbn", "own"],
      // 100 a minute and user: https://developers.google.com/books/docs/v1/using#quota
      requestsPerSecond: 1.5,
      search: ({ title, author }, call) =>
        find(`intitle:"${quoted(title)}"${author === null ? "" : ` inauthor:"${quoted(author)}"`}`, call),
      get: async (kind, id, call) => {
        if (kind === "isbn") return (await find(`isbn:${id}`, call))[0] ?? null;
        const asked = new URLSearchParams(key);
        const answer = await call.getJson(new URL(`${address}/${encodeURIComponent(id)}?${asked}`));
        return answer === null ? null : bookOf(volume.parse(answer));
      },
    };
  },
};

function quoted(text: string): string {
  return text.replaceAll('"', " ");
}

/** Largest first. */
const pictures = ["extraLarge", "large", "medium", "small", "thumbnail", "smallThumbnail"];

function bookOf({ id, volumeInfo: info }: Volume): SourceBook {
  const year = /^\d{4}/.exec(info.publishedDate ?? "")?.[0];
  const isbn = ["ISBN_13", "ISBN_10"]
    .map((type) => info.industryIdentifiers?.find((each) => each.type === type)?.identifier)
    .find((each) => each !== undefined);
  const picture = pictures.map((size) => info.imageLinks?.[size]).find((url) => url !== undefined);
  return {
    id,
    fields: {
      title: info.title,
      ...(info.subtitle === undefined ? {} : { subtitle: info.subtitle }),
      ...(info.authors === undefined ? {} : { authors: info.authors }),
      ...(info.publisher === undefined ? {} : { publisher: info.publisher }),
      ...(year === undefined ? {} : { year: Number(year) }),
      ...(info.description === undefined ? {} : { description: plainText(info.description) }),
      ...(info.categories === undefined ? {} : { genres: info.categories }),
      ...(info.language === undefined ? {} : { language: info.language }),
      ...(isbn === undefined ? {} : { isbn }),
    },
    durationSeconds: null,
    // Its addresses are http ones, and answer over https as well.
    coverUrl: picture?.replace(/^http:/, "https:") ?? null,
  };
}
