import type { Book, MatchLayer, SeriesPosition } from "../domain/book.ts";
import type { SeriesPlace } from "../domain/catalogue.ts";
import { composeFields } from "../domain/compose.ts";
import { personKey } from "../domain/people.ts";
import { seriesKey } from "../domain/series.ts";

/** How the series of each author are spelled. */
export interface Spellings {
  /** The layer with its series spelled as those of the same author are; what the user has set is left alone. */
  unify(book: Book, layer: MatchLayer): MatchLayer;
}

/** Knows the spellings of all books; the one that most books of an author have is that of the next too. */
export function createSpellings(places: readonly SeriesPlace[]): Spellings {
  const counts = new Map<string, Map<string, number>>();
  for (const { series, author } of places) count(series, author);

  function count(series: string, author: string | null): void {
    const key = keyOf(series, author);
    const known = counts.get(key) ?? new Map<string, number>();
    known.set(series, (known.get(series) ?? 0) + 1);
    counts.set(key, known);
  }

  function spelled(series: SeriesPosition, author: string | null): SeriesPosition {
    const known = [...(counts.get(keyOf(series.name, author)) ?? [])];
    const [best] = known.sort(([, a], [, b]) => b - a);
    return best === undefined || best[0] === series.name ? series : { ...series, name: best[0] };
  }

  return {
    unify: (book, layer) => {
      const { fields, provenance } = composeFields({ ...book.layers, match: layer });
      const author = fields.authors[0] ?? null;
      const from = provenance.series;
      if (from === undefined || from === "user") return layer;
      const series = fields.series.map((each) => spelled(each, author));
      for (const { name } of series) count(name, author);
      if (series.every((each, index) => each.name === fields.series[index]?.name)) return layer;
      return { ...layer, series, sources: { ...layer.sources, series: from } };
    },
  };
}

function keyOf(series: string, author: string | null): string {
  return JSON.stringify([seriesKey(series), personKey(author ?? "")]);
}
