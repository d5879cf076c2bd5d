import type { SeriesPlace } from "../domain/catalogue.ts";
import { compareNatural } from "../domain/natural.ts";
import { personKey } from "../domain/people.ts";
import { seriesKey } from "../domain/series.ts";

/** A series of which numbers are missing. */
export interface SeriesGap {
  /** In the spelling that most of its books have. */
  readonly series: string;
  readonly author: string | null;
  /** Positions that are there, in natural order. */
  readonly present: readonly string[];
  /** Whole numbers below the highest that are not. */
  readonly missing: readonly string[];
}

/** A number beyond it is a year or a mistake. */
const highestNumber = 500;

/**
 * The series with missing numbers, in natural order. A position like `1-3` stands for all of them; what lies beyond the
 * highest number that is there is not known to exist.
 */
export function seriesGaps(places: readonly SeriesPlace[]): readonly SeriesGap[] {
  const groups = Map.groupBy(places, ({ series, author }) =>
    JSON.stringify([seriesKey(series), personKey(author ?? "")]),
  );
  return [...groups.values()]
    .map(gapOf)
    .filter(({ missing }) => missing.length > 0)
    .sort((a, b) => compareNatural(a.series, b.series));
}

function gapOf(places: readonly SeriesPlace[]): SeriesGap {
  const present = [...new Set(places.flatMap(({ position }) => position ?? []))].sort(compareNatural);
  const numbers = new Set(present.flatMap(wholeNumbers));
  const highest = Math.max(0, ...numbers);
  const missing = Array.from({ length: highest }, (_, index) => index + 1).filter(
    (number) => !numbers.has(number),
  );
  return {
    series: mostUsed(places.map(({ series }) => series)),
    author: places[0]?.author ?? null,
    present,
    missing: missing.map(String),
  };
}

function wholeNumbers(position: string): readonly number[] {
  const [, from = "", to = from] = /^(\d+)(?:-(\d+))?$/.exec(position) ?? [];
  if (from === "" || Number(to) > highestNumber) return [];
  return Array.from(
    { length: Math.max(0, Number(to) - Number(from) + 1) },
    (_, index) => Number(from) + index,
  );
}

/** The first of those that are used most. */
function mostUsed(spellings: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const spelling of spellings) counts.set(spelling, (counts.get(spelling) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return [...counts].find(([, count]) => count === most)?.[0] ?? "";
}
