import type { Book, BookSummary, MatchLayer } from "../domain/book.ts";
import type { CommitOutcome, SeriesPlace } from "../domain/catalogue.ts";
import { composeFields } from "../domain/compose.ts";
import { personKey } from "../domain/people.ts";
import { seriesKey } from "../domain/series.ts";
import type { Catalogue } from "../store/ports.ts";
import { seriesPlaces } from "../store/series-places.ts";

/** How the series of each author are spelled. */
export interface Spellings {
  learn(places: readonly SeriesPlace[]): void;
  /** The layer with its series spelled as those of the same author are; what the user has set is left alone. */
  unify(book: Pick<Book, "layers">, layer: MatchLayer | null): MatchLayer | null;
  isUsual(place: SeriesPlace): boolean;
}

/** Knows the spellings of all books; the one that most books of an author have is that of the next too. */
export function createSpellings(): Spellings {
  const counts = new Map<string, Map<string, number>>();

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
    learn: (places) => {
      for (const { series, author } of places) count(series, author);
    },
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

/** All that the catalogue knows. */
export async function learnSpellings(catalogue: Pick<Catalogue, "seriesPlaces">): Promise<Spellings> {
  const spellings = createSpellings();
  for await (const places of seriesPlaces(catalogue)) spellings.learn(places);
  return spellings;
}

/** Spells all series alike for each author, and answers with what that has changed. */
export async function unifySpellings(
  catalogue: Pick<Catalogue, "seriesPlaces" | "setMatch" | "book">,
  operationId: string,
): Promise<Pick<CommitOutcome, "changed">> {
  const spellings = await learnSpellings(catalogue);
  const changed: BookSummary[] = [];
  for await (const places of seriesPlaces(catalogue)) {
    for (const place of places) {
      const book = spellings.isUsual(place) ? null : catalogue.book(place.bookId);
      if (book === null) continue;
      const spelled = (layer: MatchLayer | null) => spellings.unify(book, layer);
      changed.push(...catalogue.setMatch(book.id, spelled, operationId).changed);
    }
  }
  return { changed };
}

function keyOf(series: string, author: string | null): string {
  return JSON.stringify([seriesKey(series), personKey(author ?? "")]);
}
