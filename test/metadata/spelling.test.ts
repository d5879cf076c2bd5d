import { expect, test } from "vitest";
import type { Book, BookFields, MatchLayer } from "../../src/domain/book.ts";
import type { SeriesPlace } from "../../src/domain/catalogue.ts";
import { composeFields } from "../../src/domain/compose.ts";
import { createSpellings as create } from "../../src/metadata/spelling.ts";

const book = (layers: Book["layers"]) => ({ layers }) as Book;
function createSpellings(places: readonly SeriesPlace[] = []) {
  const spellings = create();
  spellings.learn(places);
  return spellings;
}

const place = (series: string, author = "Ann Writer") => ({ bookId: "b", series, position: "1", author });
const layer = (name: string): MatchLayer => ({
  authors: ["Ann Writer"],
  series: [{ name, position: "3" }],
  sources: { series: "audnexus" },
});

const composed = (match: MatchLayer | null, user: BookFields = {}) =>
  composeFields({ user, ...(match === null ? {} : { match }) });

test("spells a series as most books of its author do", () => {
  const spellings = createSpellings([place("The Expanse"), place("The Expanse"), place("Expanse")]);
  const spelled = spellings.unify(book({}), layer("Expanse Series"));
  expect(spelled).toMatchObject({ spelling: { "Expanse Series": "The Expanse" } });
  expect(composed(spelled)).toMatchObject({
    fields: { series: [{ name: "The Expanse", position: "3" }] },
    provenance: { series: "audnexus" },
  });
});

test("leaves alone another author's series, a new one, and what the user has set", () => {
  const spellings = createSpellings([place("The Expanse", "Somebody Else")]);
  expect(spellings.unify(book({}), layer("Expanse"))).toEqual(layer("Expanse"));
  const user = { series: [{ name: "the expanse", position: null }] };
  const before = layer("Expanse Saga");
  expect(spellings.unify(book({ user }), before)).toEqual(before);
  const spelled = { ...before, spelling: { "the expanse": "Other" } };
  expect(composed(spelled, user).fields.series).toEqual(user.series);
});

test("a spelling that one operation brings is that of the books after it", () => {
  const spellings = createSpellings();
  spellings.unify(book({}), layer("The Expanse"));
  expect(composed(spellings.unify(book({}), layer("expanse"))).fields.series).toEqual([
    { name: "The Expanse", position: "3" },
  ]);
});

test("spells no two series of a book alike, and no name that every object has", () => {
  const series = ["The Expanse", "Expanse", "constructor"].map((name) => ({ name, position: "1" }));
  const spelled = composed({ series, spelling: { Expanse: "The Expanse" } });
  expect(spelled.fields.series.map(({ name }) => name)).toEqual(["The Expanse", "constructor"]);
});
