import { expect, test } from "vitest";
import type { Book, MatchLayer } from "../../src/domain/book.ts";
import { createSpellings } from "../../src/metadata/spelling.ts";

const book = (layers: Book["layers"]) => ({ layers }) as Book;
const place = (series: string, author = "Ann Writer") => ({ series, position: "1", author });
const layer = (name: string): MatchLayer => ({
  authors: ["Ann Writer"],
  series: [{ name, position: "3" }],
  sources: { series: "audnexus" },
});

test("spells a series as most books of its author do", () => {
  const spellings = createSpellings([place("The Expanse"), place("The Expanse"), place("Expanse")]);
  expect(spellings.unify(book({}), layer("Expanse Series"))).toMatchObject({
    series: [{ name: "The Expanse", position: "3" }],
    sources: { series: "audnexus" },
  });
});

test("leaves alone another author's series, a new one, and what the user has set", () => {
  const spellings = createSpellings([place("The Expanse", "Somebody Else")]);
  expect(spellings.unify(book({}), layer("Expanse")).series).toEqual([{ name: "Expanse", position: "3" }]);
  const user = { series: [{ name: "the expanse", position: null }] };
  const before = layer("Expanse Saga");
  expect(spellings.unify(book({ user }), before)).toBe(before);
});

test("a spelling that one operation brings is that of the books after it", () => {
  const spellings = createSpellings([]);
  spellings.unify(book({}), layer("The Expanse"));
  expect(spellings.unify(book({}), layer("expanse")).series).toEqual([
    { name: "The Expanse", position: "3" },
  ]);
});
