import type { Book, BookSummary, MatchLayer } from "../domain/book.ts";
import type { CommitOutcome, SeriesPlace } from "../domain/catalogue.ts";
import { composeFields } from "../domain/compose.ts";
import { personKey } from "../domain/people.ts";
import { seriesKey } from "../domain/series.ts";
import type { Catalogue } from "../store/ports.ts";

/** How the series of each author are spelled. */
export interface Spellings {
  /** The layer with its series spelled as those of the same author are; what the user has set is left alone. */
  unify(book: Pick<Book, "layers">, layer: MatchLayer | null): MatchLayer | null;
  isUsual(place: SeriesPlace): boolean;
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

  function spelled(series: string, author: string | null): string {
    const known = [...(counts.get(keyOf(series, author)) ?? [])];
    const [best] = known.sort(([, a], [, b]) => b - a);
    return best?.[0] ?? series;
  }

  return {
    isUsual: ({ series, author }) => spelled(series, author) === series,
    unify: (book, layer) => {
      const { spelling: _spelling, ...plain } = layer ?? {};
      const { fields, provenance } = composeFields({ ...book.layers, match: plain });
      const author = fields.authors[0] ?? null;
      const left = layer === null ? null : plain;
      if (provenance.series === undefined || provenance.series === "user") return left;
      const names = fields.series.map(({ name }) => [name, spelled(name, author)] as const);
      for (const [, name] of names) count(name, author);
      const others = names.filter(([name, other]) => name !== other);
      return others.length === 0 ? left : { ...plain, spelling: Object.fromEntries(others) };
    },
  };
}

/** Spells all series alike for each author, and answers with what that has changed. */
export function unifySpellings(
  catalogue: Pick<Catalogue, "seriesPlaces" | "setMatch" | "book">,
  operationId: string,
): Pick<CommitOutcome, "changed"> {
  const places = catalogue.seriesPlaces();
  const spellings = createSpellings(places);
  const changed: BookSummary[] = [];
  for (const place of places) {
    const book = spellings.isUsual(place) ? null : catalogue.book(place.bookId);
    if (book === null) continue;
    changed.push(
      ...catalogue.setMatch(book.id, (layer) => spellings.unify(book, layer), operationId).changed,
    );
  }
  return { changed };
}

function keyOf(series: string, author: string | null): string {
  return JSON.stringify([seriesKey(series), personKey(author ?? "")]);
}
