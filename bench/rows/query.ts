import { cpSync, mkdtempSync } from "node:fs";
import path from "node:path";
import type { BookQuery } from "../../src/domain/catalogue.ts";
import { createQueries, type QueryAnswer } from "../../src/library/queries.ts";
import { openStore } from "../../src/store/open.ts";
import { makeManyBooks, wordsOfTitles } from "../many-books.ts";
import { p99, type Row } from "../measurement.ts";

const asked = 2000;

/** Pages of 50 as the runner makes them, each asked once, and the same pages again. */
export const queryRow: Row = {
  name: "query",
  run: async ({ scratchDir, library }) => {
    const bookCount = Math.min(50_000, library.fileCount);
    const made = await makeManyBooks(scratchDir, bookCount);
    const dataDir = mkdtempSync(path.join(scratchDir, "query-"));
    cpSync(made.dataDir, dataDir, { recursive: true });
    const store = await openStore({ dataDir, now: () => new Date() });
    try {
      const query = createQueries(store.catalogue, asked * 4);
      const queries = Array.from({ length: asked }, (_, i) => queryAt(i, bookCount));
      const first = queries.map((each) => timedQuery(query, each, false));
      const again = queries.map((each) => timedQuery(query, each, true));
      const what = `query page, ${bookCount.toLocaleString("en")} books`;
      const worst = queries[first.indexOf(Math.max(...first))];
      const note = `at most ${Math.max(...first).toFixed(1)} ms: ${JSON.stringify(worst)}`;
      return [
        { what: `${what}, uncached, p99`, value: p99(first), unit: "ms", bar: { max: 5 }, note },
        { what: `${what}, cached, p99`, value: p99(again), unit: "ms", bar: { max: 0.1 } },
      ];
    } finally {
      await store.close();
    }
  },
};

function timedQuery(query: (asked: BookQuery) => QueryAnswer, each: BookQuery, isCached: boolean): number {
  const startedMs = performance.now();
  const { cached } = query(each);
  const ms = performance.now() - startedMs;
  if (cached !== isCached) throw new Error(`${JSON.stringify(each)} was ${cached ? "" : "not "}cached`);
  return ms;
}

/** One of each kind after the other, none the same as another. */
function queryAt(i: number, bookCount: number): BookQuery {
  const word = wordsOfTitles[i % wordsOfTitles.length] ?? "";
  const sort = (["title", "author", "series", "added", "duration"] as const)[Math.floor(i / 8) % 5];
  const page = { limit: 50, offset: i };
  switch (i % 8) {
    case 0:
      return { text: `${word} ${i}`, limit: 50, offset: 0 };
    case 1:
      return { text: word, sort, ...page };
    case 2:
      return { text: word.slice(0, 2), sort, ...page };
    case 3:
      return { author: `Surname${i}`, sort, limit: 50, offset: 0 };
    case 4:
      return { series: `series ${i}`, sort: "series", limit: 50, offset: 0 };
    case 5:
      return { narrator: `Reader ${i % 700}`, sort, limit: 50, offset: Math.floor(i / 700) };
    case 6:
      return { state: "present", sort, limit: 50, offset: (i * 23) % bookCount };
    default:
      return { sort, limit: 50, offset: (i * 17) % bookCount };
  }
}
