import fc from "fast-check";
import { beforeEach, expect, test } from "vitest";
import type { BookSummary } from "../../src/domain/book.ts";
import type { BookPage, BookQuery } from "../../src/domain/catalogue.ts";
import { AppError } from "../../src/errors.ts";
import { createQueries } from "../../src/library/queries.ts";

/** Answers with its own state, so that a stale page is seen, and counts how often it is asked. */
interface Stand {
  current: number;
  titles: string[];
  asked: BookQuery[];
  /** Runs between reading the books and answering. */
  meanwhile: () => void;
  query(query: BookQuery): BookPage;
  generation(): number;
}

let catalogue: Stand;

beforeEach(() => {
  catalogue = {
    current: 1,
    titles: ["Emma"],
    asked: [],
    meanwhile: () => {},
    query(query) {
      this.asked.push(query);
      const items = this.titles.map(bookOf);
      this.meanwhile();
      return { items, total: items.length };
    },
    generation() {
      return this.current;
    },
  };
});

function bookOf(title: string): BookSummary {
  return {
    id: title,
    rootId: "books",
    path: title,
    state: "present",
    title,
    subtitle: null,
    authors: [],
    narrators: [],
    series: [],
    year: null,
    publisher: null,
    language: null,
    asin: null,
    isbn: null,
    durationSeconds: 1,
    sizeBytes: 1,
    format: "mp3",
    trackCount: 1,
    chapterCount: 0,
    hasCover: false,
    addedAt: "2026-01-01T00:00:00.000Z",
    changedAt: "2026-01-01T00:00:00.000Z",
  };
}

const firstPage: BookQuery = { limit: 50, offset: 0 };

function write(...titles: string[]): void {
  catalogue.titles = titles;
  catalogue.current++;
}

test("answers the same query from the cache, and says so", () => {
  const query = createQueries(catalogue, 100);
  expect(query(firstPage)).toMatchObject({ cached: false, generation: 1, total: 1 });
  expect(query(firstPage)).toMatchObject({
    cached: true,
    generation: 1,
    total: 1,
    items: [{ title: "Emma" }],
  });
  expect(catalogue.asked).toHaveLength(1);
});

test("takes queries that differ only in accents, case, white space and unsaid defaults for the same", () => {
  const query = createQueries(catalogue, 100);
  query({ text: " Les  Misérables", sort: "title", ...firstPage });
  expect(query({ author: "", text: "les miserables ", ...firstPage }).cached).toBe(true);
});

test("keeps pages, filters and orders apart", () => {
  const query = createQueries(catalogue, 100);
  const queries: BookQuery[] = [
    firstPage,
    { limit: 50, offset: 50 },
    { limit: 51, offset: 0 },
    { ...firstPage, text: "a" },
    { ...firstPage, author: "a" },
    { ...firstPage, series: "a" },
    { ...firstPage, narrator: "a" },
    { ...firstPage, state: "missing" },
    { ...firstPage, sort: "added" },
  ];
  expect(queries.map((each) => query(each).cached)).not.toContain(true);
});

test("asks the catalogue again after any write", () => {
  const query = createQueries(catalogue, 100);
  query(firstPage);
  write("Emma", "Persuasion");
  expect(query(firstPage)).toMatchObject({ cached: false, generation: 2, total: 2 });
});

test("does not store a page as fresh that a write made stale while it was being read", () => {
  const query = createQueries(catalogue, 100);
  catalogue.meanwhile = () => write("Emma", "Persuasion");
  expect(query(firstPage)).toMatchObject({ cached: false, generation: 1, total: 1 });
  catalogue.meanwhile = () => {};
  expect(query(firstPage)).toMatchObject({ cached: false, generation: 2, total: 2 });
});

test("never answers with other books than the catalogue has, whatever is asked and written in between", () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ ask: fc.integer({ min: 0, max: 5 }), racing: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant("write" as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 6 }), (steps, cacheSize) => {
      const query = createQueries(catalogue, cacheSize);
      let written = 0;
      const writeNext = () => write(`Book ${++written}`);
      for (const each of steps) {
        if (each === "write") {
          writeNext();
          continue;
        }
        catalogue.meanwhile = each.racing ? writeNext : () => {};
        const before = catalogue.titles;
        const answer = query({ text: `${each.ask}`, limit: 1, offset: 0 });
        expect(answer.items.map((book) => book.title)).toEqual(before);
      }
    }),
  );
});

test("keeps at most as many pages as it was allowed", () => {
  for (const cacheSize of [0, 1, 2, 3, 10]) {
    catalogue.asked = [];
    const query = createQueries(catalogue, cacheSize);
    for (let i = 0; i < 50; i++) query({ limit: 1, offset: i });
    const cached = Array.from({ length: 50 }, (_, i) => query({ limit: 1, offset: 49 - i })).filter(
      (answer) => answer.cached,
    );
    expect(cached.length).toBeLessThanOrEqual(cacheSize);
    expect(cached.length).toBeGreaterThanOrEqual(Math.floor(cacheSize / 2));
  }
});

test("gives up older pages when the pages are long", () => {
  catalogue.titles = Array.from({ length: 100 }, (_, i) => `Book ${i}`);
  const query = createQueries(catalogue, 10);
  for (let i = 0; i < 5; i++) query({ limit: 100, offset: i });
  const stillCached = [4, 3, 2, 1, 0].filter((offset) => query({ limit: 100, offset }).cached);
  expect(stillCached).toEqual([4, 3]);
});

test.each([
  [{ limit: 0, offset: 0 }, "limit is 0: it must be a whole number, 1 to 200"],
  [{ limit: 201, offset: 0 }, "limit is 201: it must be a whole number, 1 to 200"],
  [{ limit: 1.5, offset: 0 }, "limit is 1.5: it must be a whole number, 1 to 200"],
  [{ limit: 1, offset: -1 }, "offset is -1: it must be a whole number, 0 or more"],
  [{ limit: 1, offset: 0, text: "x".repeat(501) }, "text has 501 characters: at most 500"],
])("refuses %j", (asked, message) => {
  const query = createQueries(catalogue, 10);
  expect(() => query(asked)).toThrow(
    expect.objectContaining({ constructor: AppError, code: "invalid_payload", message }),
  );
  expect(catalogue.asked).toEqual([]);
});
