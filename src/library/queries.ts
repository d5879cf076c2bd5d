import QuickLRU from "quick-lru";
import type { BookCatalogue, BookPage, BookQuery } from "../domain/catalogue.ts";
import { foldText } from "../domain/text.ts";
import { AppError } from "../errors.ts";

export interface QueryAnswer extends BookPage {
  /** That of the catalogue when it was asked: an equal one means that no book changed since. */
  readonly generation: number;
  readonly cached: boolean;
}

type QueryableCatalogue = Pick<BookCatalogue, "query" | "generation">;

/** Longest text of a filter: more is no search, and every cached page keeps its texts. */
const maxTextLength = 500;
const maxLimit = 200;
/** Books kept per cached page, on average: a page may hold 200 at 1.2 KB each, and a small machine has little. */
const averagePageSize = 20;

export interface Queries {
  (query: BookQuery): QueryAnswer;
  /** Gives up all that is cached. */
  readonly trim: () => void;
}

/**
 * Answers queries, the repeated ones from a cache of at most `cacheSize` pages, and never with a page that is
 * older than the last change of any book. Throws `invalid_payload` for a query outside the limits.
 */
export function createQueries(catalogue: QueryableCatalogue, cacheSize: number): Queries {
  const cache = createPageCache(cacheSize);
  const answer = (query: BookQuery): QueryAnswer => {
    const asked = normalized(query);
    const key = JSON.stringify(Object.values(asked));
    // Read before the catalogue: a change while it answers makes the page one of an unknown generation.
    const generation = catalogue.generation();
    const known = cache.get(key, generation);
    if (known !== null) return { ...known, generation, cached: true };
    const page = catalogue.query(asked);
    if (catalogue.generation() === generation) cache.put(key, page, generation);
    return { ...page, generation, cached: false };
  };
  return Object.assign(answer, { trim: cache.clear });
}

interface PageCache {
  readonly clear: () => void;
  readonly get: (key: string, generation: number) => BookPage | null;
  readonly put: (key: string, page: BookPage, generation: number) => void;
}

/** Pages of one generation: a new one empties it, for what is stale is only in the way. */
function createPageCache(cacheSize: number): PageCache {
  // quick-lru keeps up to twice its maxSize.
  const maxSize = Math.floor(cacheSize / 2);
  if (maxSize < 1) return { get: () => null, put: () => {}, clear: () => {} };
  const maxBooks = cacheSize * averagePageSize;
  let books = 0;
  let cachedGeneration: number | null = null;
  const pages = new QuickLRU<string, BookPage>({
    maxSize,
    onEviction: (_key, page) => {
      books -= page.items.length;
    },
  });
  const turnTo = (generation: number | null) => {
    if (generation !== null && generation === cachedGeneration) return;
    // Does not call onEviction.
    pages.clear();
    books = 0;
    cachedGeneration = generation;
  };
  return {
    clear: () => turnTo(null),
    get: (key, generation) => {
      turnTo(generation);
      return pages.get(key) ?? null;
    },
    put: (key, page, generation) => {
      turnTo(generation);
      if (page.items.length > maxBooks) return;
      books += page.items.length;
      pages.set(key, page);
      while (books > maxBooks) pages.evict();
    },
  };
}

/** Every way to ask the same becomes one query, which is also what the catalogue is asked. */
function normalized(query: BookQuery): Required<BookQuery> {
  return {
    text: filterText("text", query.text),
    author: filterText("author", query.author),
    series: filterText("series", query.series),
    narrator: filterText("narrator", query.narrator),
    state: query.state,
    sort: query.sort ?? "title",
    limit: wholeNumber("limit", query.limit, 1, maxLimit),
    offset: wholeNumber("offset", query.offset, 0, Number.MAX_SAFE_INTEGER),
  };
}

function filterText(key: string, text: string | undefined): string | undefined {
  if (text !== undefined && text.length > maxTextLength) {
    throw new AppError("invalid_payload", `${key} has ${text.length} characters: at most ${maxTextLength}`, {
      details: { key, max: maxTextLength },
    });
  }
  const folded = foldText(text ?? "");
  return folded === "" ? undefined : folded;
}

function wholeNumber(key: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  const limits = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
  throw new AppError("invalid_payload", `${key} is ${value}: it must be a whole number, ${limits}`, {
    details: { key, min, max },
  });
}
