import { expect, test } from "vitest";
import { seriesGaps } from "../../src/library/series-gaps.ts";

const of = (series: string, author: string | null, ...positions: readonly (string | null)[]) =>
  positions.map((position) => ({ bookId: "b", series, position, author }));

test("names the whole numbers that are missing below the highest, in the spelling that is used most", () => {
  const places = [
    ...of("The Expanse", "James S. A. Corey", "1", "2", "5"),
    ...of("Expanse", "James S.A. Corey", "8", "2.5", null),
    ...of("Farseer", "Robin Hobb", "1", "2", "3"),
    ...of("Discworld", "Terry Pratchett", "10", "2"),
  ];
  expect(seriesGaps(places)).toEqual([
    {
      series: "Discworld",
      author: "Terry Pratchett",
      present: ["2", "10"],
      missing: ["1", "3", "4", "5", "6", "7", "8", "9"],
    },
    {
      series: "The Expanse",
      author: "James S. A. Corey",
      present: ["1", "2", "2.5", "5", "8"],
      missing: ["3", "4", "6", "7"],
    },
  ]);
});

test("takes one of several books for all of them, and no year for a number", () => {
  expect(seriesGaps(of("Saga", "A", "1-3", "5"))).toMatchObject([{ missing: ["4"] }]);
  expect(seriesGaps(of("Year's Best", "A", "2019", "2020", "Prequel", "0"))).toEqual([]);
});

test("does not mix series of the same name by other authors", () => {
  expect(seriesGaps([...of("Chronicles", "A", "1"), ...of("Chronicles", "B", "2")])).toMatchObject([
    { author: "B", missing: ["1"] },
  ]);
});
