import { z } from "zod";
import {
  normalizePosition,
  plainText,
  type SeriesPosition,
  type Source,
  type SourceBook,
  type SourceCall,
  type SourceChapters,
  type SourcePlugin,
} from "../../src/plugin.ts";

/*
 * Audiobooks with narrators, series and running time. Audnexus (https://audnex.us, https://api.audnex.us) knows a book by
 * its ASIN and cannot search; Audible's catalogue (https://audible.readthedocs.io/en/latest/misc/external_api.html)
 * searches, and takes 50 ASINs at once. A `base_url` stands for both.
 */

const usual = "https://api.audnex.us";

/** Audible's shops: https://audible.readthedocs.io/en/latest/marketplaces/marketplaces.html */
const shops: Readonly<Record<string, string>> = {
  us: "com",
  uk: "co.uk",
  au: "com.au",
  ca: "ca",
  de: "de",
  es: "es",
  fr: "fr",
  in: "in",
  it: "it",
  jp: "co.jp",
};

const person = z.object({ name: z.string() });

/** https://api.audnex.us/books/{asin} */
const book = z.object({
  asin: z.string(),
  title: z.string(),
  subtitle: z.string().nullish(),
  authors: z.array(person).nullish(),
  narrators: z.array(person).nullish(),
  publisherName: z.string().nullish(),
  releaseDate: z.string().nullish(),
  runtimeLengthMin: z.number().nullish(),
  summary: z.string().nullish(),
  language: z.string().nullish(),
  isbn: z.string().nullish(),
  image: z.string().nullish(),
  isAdult: z.boolean().nullish(),
  formatType: z.string().nullish(),
  genres: z.array(z.object({ name: z.string(), type: z.string() })).nullish(),
  seriesPrimary: z.object({ name: z.string(), position: z.string().nullish() }).nullish(),
  seriesSecondary: z.object({ name: z.string(), position: z.string().nullish() }).nullish(),
});

/** https://api.audnex.us/books/{asin}/chapters */
const chapterInfo = z.object({
  runtimeLengthMs: z.number(),
  /** False where the times are guessed. */
  isAccurate: z.boolean(),
  chapters: z.array(z.object({ title: z.string(), startOffsetMs: z.number(), lengthMs: z.number() })),
});

/** A product of Audible's catalogue, with the response groups below. */
const product = z.object({
  asin: z.string(),
  title: z.string().nullish(),
  subtitle: z.string().nullish(),
  authors: z.array(person).nullish(),
  narrators: z.array(person).nullish(),
  series: z.array(z.object({ title: z.string(), sequence: z.string().nullish() })).nullish(),
  publisher_name: z.string().nullish(),
  publisher_summary: z.string().nullish(),
  release_date: z.string().nullish(),
  runtime_length_min: z.number().nullish(),
  language: z.string().nullish(),
  format_type: z.string().nullish(),
  is_adult_product: z.boolean().nullish(),
  product_images: z.record(z.string(), z.string()).nullish(),
});

const groups = "contributors,media,product_attrs,product_desc,product_extended_attrs,series";

export const audnexus: SourcePlugin = {
  kind: "source",
  name: "audnexus",
  create: ({ baseUrl, region }): Source => {
    const country = region !== null && Object.hasOwn(shops, region) ? region : "us";
    const audnex = baseUrl ?? usual;
    const catalogue = `${baseUrl ?? `https://api.audible.${shops[country]}`}/1.0/catalog/products`;

    async function products(
      params: Readonly<Record<string, string>>,
      call: SourceCall,
    ): Promise<readonly SourceBook[]> {
      const asked = new URLSearchParams({ ...params, response_groups: groups, image_sizes: "500,1024" });
      const answer = await call.getJson(new URL(`${catalogue}?${asked}`));
      if (answer === null) return [];
      const found = z.object({ products: z.array(product) }).parse(answer).products;
      // An ASIN that is not sold in this country comes back as a product with nothing but its ASIN.
      return found.flatMap((each) => (each.title == null ? [] : bookOfProduct(each, each.title)));
    }

    return {
      name: "audnexus",
      goodFor: [
        ...([
          "title",
          "subtitle",
          "authors",
          "narrators",
          "series",
          "year",
          "publisher",
          "language",
        ] as const),
        ...(["description", "genres", "asin", "explicit", "abridged", "cover"] as const),
      ],
      looksUp: ["asin", "own"],
      // Audnexus allows 100 a minute and address; Audible says nothing.
      requestsPerSecond: 1.5,
      search: ({ title, author }, call) =>
        products(
          {
            title,
            ...(author === null ? {} : { author }),
            num_results: "10",
            products_sort_by: "Relevance",
          },
          call,
        ),
      get: async (_kind, id, call) => {
        const url = new URL(`${audnex}/books/${encodeURIComponent(id)}?region=${country}`);
        const answer = await call.getJson(url);
        return answer === null ? null : bookOf(book.parse(answer));
      },
      chapters: async (id, call) => {
        const url = new URL(`${audnex}/books/${encodeURIComponent(id)}/chapters?region=${country}`);
        const answer = await call.getJson(url);
        return answer === null ? null : chaptersOf(chapterInfo.parse(answer));
      },
      many: {
        kinds: ["asin"],
        most: 50,
        get: async (_kind, ids, call) => {
          const found = await products({ asins: ids.join(","), num_results: String(ids.length) }, call);
          return new Map(found.map((each) => [each.id, each]));
        },
      },
    };
  },
};

function bookOf(found: z.output<typeof book>): SourceBook {
  const genres = found.genres?.filter(({ type }) => type === "genre").map(({ name }) => name);
  const series = [found.seriesPrimary, found.seriesSecondary].flatMap((each) =>
    each == null ? [] : seriesOf(each.name, each.position),
  );
  return {
    id: found.asin,
    fields: {
      ...common(found),
      asin: found.asin,
      ...(series.length === 0 ? {} : { series }),
      ...text("publisher", found.publisherName),
      ...yearOf(found.releaseDate),
      ...text("description", found.summary == null ? null : plainText(found.summary)),
      ...text("isbn", found.isbn),
      ...(genres === undefined || genres.length === 0 ? {} : { genres }),
      ...(found.isAdult == null ? {} : { explicit: found.isAdult }),
      ...abridgedOf(found.formatType),
    },
    durationSeconds: found.runtimeLengthMin == null ? null : found.runtimeLengthMin * 60,
    coverUrl: found.image ?? null,
  };
}

function chaptersOf(found: z.output<typeof chapterInfo>): SourceChapters | null {
  if (!found.isAccurate) return null;
  const chapters = found.chapters.map(({ title, startOffsetMs, lengthMs }) => ({
    title,
    startMs: startOffsetMs,
    endMs: startOffsetMs + lengthMs,
  }));
  return { durationMs: found.runtimeLengthMs, chapters };
}

function bookOfProduct(found: z.output<typeof product>, title: string): SourceBook {
  const series = found.series?.flatMap((each) => seriesOf(each.title, each.sequence)) ?? [];
  const images = found.product_images ?? {};
  return {
    id: found.asin,
    fields: {
      ...common({ ...found, title }),
      asin: found.asin,
      ...(series.length === 0 ? {} : { series }),
      ...text("publisher", found.publisher_name),
      ...yearOf(found.release_date),
      ...text("description", found.publisher_summary == null ? null : plainText(found.publisher_summary)),
      ...(found.is_adult_product == null ? {} : { explicit: found.is_adult_product }),
      ...abridgedOf(found.format_type),
    },
    durationSeconds: found.runtime_length_min == null ? null : found.runtime_length_min * 60,
    coverUrl: images["1024"] ?? images["500"] ?? null,
  };
}

interface Common {
  readonly title: string;
  readonly subtitle?: string | null | undefined;
  readonly authors?: readonly { readonly name: string }[] | null | undefined;
  readonly narrators?: readonly { readonly name: string }[] | null | undefined;
  readonly language?: string | null | undefined;
}

function common({ title, subtitle, authors, narrators, language }: Common) {
  return {
    title,
    ...text("subtitle", subtitle),
    ...names("authors", authors),
    ...names("narrators", narrators),
    ...text("language", language),
  };
}

function names<K extends string>(
  key: K,
  people: Common["authors"],
): { readonly [key in K]?: readonly string[] } {
  if (people == null || people.length === 0) return {};
  // "Jane Doe - translator" had another part in it.
  const plain = people.map(({ name }) => name).filter((name) => !/ - [\p{L} ]+$/u.test(name));
  return { [key]: plain } as unknown as { readonly [key in K]: readonly string[] };
}

function text<K extends string>(key: K, value: string | null | undefined): { readonly [key in K]?: string } {
  return value == null || value === "" ? {} : ({ [key]: value } as { readonly [key in K]: string });
}

function seriesOf(name: string, position: string | null | undefined): readonly SeriesPosition[] {
  return [{ name, position: position == null ? null : normalizePosition(position) }];
}

function yearOf(date: string | null | undefined): { readonly year?: number } {
  const year = /^\d{4}/.exec(date ?? "")?.[0];
  return year === undefined ? {} : { year: Number(year) };
}

function abridgedOf(format: string | null | undefined): { readonly abridged?: boolean } {
  return format === "abridged" ? { abridged: true } : format === "unabridged" ? { abridged: false } : {};
}
