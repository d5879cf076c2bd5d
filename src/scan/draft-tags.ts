import type { BookFields, SeriesPosition } from "../domain/book.ts";
import { personKey, splitPeople } from "../domain/people.ts";
import type { TrackTags } from "../domain/scan.ts";
import { normalizePosition, parseSeries, splitSeries, uniqueSeries } from "../domain/series.ts";
import { foldText } from "../domain/text.ts";
import { asinOf, genresOf, isbnOf, yearOf } from "./draft-values.ts";
import { albumOf, withoutDisc } from "./group-books.ts";
import { isMeaningless } from "./path-names.ts";
import { withoutNothing } from "./sidecar-fields.ts";

/**
 * What the tags of a book's tracks say together. A value that differs among the tracks is the one of most of
 * them, the earliest on a tie. A field that no track has is absent.
 */
export function fieldsOfTags(tracks: readonly TrackTags[]): BookFields {
  const { title, series } = titleAndSeries(tracks);
  const authors = authorsOf(tracks);
  const narrators = narratorsOf(tracks);
  const most = <T extends string | number | boolean>(pick: (tags: TrackTags) => T | null): T | null =>
    mostCommon(tracks.map(pick), String);
  const genres = mostSaid(
    tally(tracks, (tags) => listKey(tags.genres)).filter(({ value }) => value.genres.length > 0),
  );
  const fields: BookFields = {
    title,
    subtitle: most((tags) => tags.subtitle),
    authors,
    narrators,
    series,
    year: most((tags) => (tags.year === null ? null : yearOf(tags.year))),
    publisher: most((tags) => tags.publisher),
    language: most((tags) => tags.language),
    description: most((tags) => tags.description) ?? most((tags) => tags.comment),
    genres: genresOf(genres?.genres ?? []),
    asin: most((tags) => (tags.asin === null ? null : asinOf(tags.asin))),
    isbn: most((tags) => (tags.isbn === null ? null : isbnOf(tags.isbn))),
    explicit: most((tags) => tags.explicit),
    abridged: most((tags) => tags.abridged),
  };
  return withoutNothing(fields);
}

/** Title = album, then title. A title of one track among many is a chapter's, unless all tracks have it. */
function titleAndSeries(tracks: readonly TrackTags[]): {
  readonly title: string | null;
  readonly series: readonly SeriesPosition[];
} {
  const albums = tracks.map(albumOf).filter((album) => album !== null);
  const isOneAlbum = new Set(albums).size < 2;
  const album = mostCommon(isOneAlbum ? albums : albums.map(withoutDisc), foldText);
  const titles = new Set(tracks.map((tags) => tags.title?.trim() ?? ""));
  const [only = ""] = titles.size === 1 ? titles : [];
  const title = album ?? (only === "" || isMeaningless(only) ? null : only);
  const raw = tally(tracks, (tags) =>
    listKey([...tags.series, "", ...tags.seriesParts, "", tags.grouping ?? ""]),
  );
  const named = raw
    .map(({ value, count }) => ({ value: seriesOfTags(value), count }))
    .filter(({ value }) => value.length > 0);
  const series = mostSaid(named);
  if (series !== null || title === null) return { title, series: series ?? [] };
  return seriesInTitle(title);
}

/** SERIES, show, MVNM, then grouping; each with the position beside it. */
function seriesOfTags(tags: TrackTags): readonly SeriesPosition[] {
  const names = tags.series.flatMap(splitSeries);
  const positions = tags.seriesParts.flatMap(splitList).map(normalizePosition);
  if (names.length > 0) {
    return uniqueSeries(names.map((name, index) => seriesOf(name, positions[index] ?? null)));
  }
  const groupings = splitSeries(tags.grouping ?? "");
  const parsed = groupings.map(parseSeries).filter((series) => series !== null);
  const [only] = groupings;
  // A grouping is free text: without a position in it or beside it, it is no series.
  if (parsed.length > 0 || only === undefined) return uniqueSeries(parsed);
  const position = positions[0] ?? null;
  return groupings.length === 1 && position !== null ? [{ name: only, position }] : [];
}

function seriesOf(name: string, position: string | null): SeriesPosition {
  const parsed = parseSeries(name);
  if (parsed !== null && (position === null || parsed.position === position)) return parsed;
  return { name, position };
}

/** `Title (Series, Book 2)`, `Title: Series, Book 2`, `Series, Book 2`: never without a position. */
function seriesInTitle(text: string): { readonly title: string; readonly series: readonly SeriesPosition[] } {
  const [, title = "", rest = ""] =
    /^(.+?)\s*[([]([^()[\]]+)[)\]]$/.exec(text) ?? /^(.+?)\s*:\s+(.+)$/.exec(text) ?? [];
  const beside = parseSeries(rest);
  if (beside !== null) return { title, series: [beside] };
  const whole = parseSeries(text);
  return { title: text, series: whole === null ? [] : [whole] };
}

/** Author = albumartist, then artist, then composer where a narrator tag exists. */
function authorsOf(tracks: readonly TrackTags[]): readonly string[] {
  const albumArtists = mostOrAll(tracks, (tags) => tags.albumArtists);
  if (albumArtists.length > 0) return albumArtists;
  const artists = mostOrAll(tracks, (tags) => tags.artists);
  if (artists.length > 0) return artists;
  const hasNarrator = everybody(tracks, (tags) => tags.narrators).length > 0;
  return hasNarrator ? mostOrAll(tracks, (tags) => tags.composers) : [];
}

/** Narrator = NARRATOR, then composer, then performer; all readers of all tracks. */
function narratorsOf(tracks: readonly TrackTags[]): readonly string[] {
  const narrators = everybody(tracks, (tags) => tags.narrators);
  if (narrators.length > 0) return narrators;
  const composers = everybody(tracks, (tags) => tags.composers);
  return composers.length > 0 ? composers : everybody(tracks, (tags) => tags.performers);
}

/** The people of more than half of the tracks; where there are none (an anthology), all of them. */
function mostOrAll(
  tracks: readonly TrackTags[],
  pick: (tags: TrackTags) => readonly string[],
): readonly string[] {
  const lists = tally(tracks, (tags) => listKey(pick(tags)))
    .map(({ value, count }) => ({ value: people(pick(value)), count }))
    .filter(({ value }) => value.length > 0);
  const [only] = lists;
  if (lists.length < 2) return only?.value ?? [];
  const total = lists.reduce((sum, { count }) => sum + count, 0);
  const byPeople = new Map<string, Counted<readonly string[]>>();
  for (const { value, count } of lists) {
    const key = value.map(personKey).join("/");
    byPeople.set(key, {
      value: byPeople.get(key)?.value ?? value,
      count: (byPeople.get(key)?.count ?? 0) + count,
    });
  }
  const most = [...byPeople.values()].find(({ count }) => count * 2 > total);
  return most === undefined ? people(lists.flatMap(({ value }) => value)) : most.value;
}

function everybody(
  tracks: readonly TrackTags[],
  pick: (tags: TrackTags) => readonly string[],
): readonly string[] {
  return people([...new Set(tracks.flatMap(pick))]);
}

function people(texts: readonly string[]): readonly string[] {
  if (texts.length === 0) return texts;
  return splitPeople(texts).filter((name) => !unknownPerson.test(name));
}

const unknownPerson = /^[<[(]?unknown(?: (?:artist|author|narrator))?[>\])]?$/i;

/** The value that occurs most often, the earliest of several; null where there is none. */
function mostCommon<T extends string | number | boolean>(
  values: readonly (T | null)[],
  keyOf: (value: T) => string,
): T | null {
  const said = values.filter((value): value is T => value !== null && value !== "");
  const [first] = said;
  if (said.every((value) => value === first)) return first ?? null;
  return mostSaid(tally(said, keyOf));
}

interface Counted<T> {
  readonly value: T;
  readonly count: number;
}

/** Each distinct value with how often it occurs, in the order of first mention. */
function tally<T>(values: readonly T[], keyOf: (value: T) => string): readonly Counted<T>[] {
  const counts = new Map<string, { readonly value: T; count: number }>();
  for (const value of values) {
    const key = keyOf(value);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { value, count: 1 });
    else known.count++;
  }
  return [...counts.values()];
}

function mostSaid<T>(counted: readonly Counted<T>[]): T | null {
  const [first] = counted;
  if (first === undefined) return null;
  return counted.reduce((most, entry) => (entry.count > most.count ? entry : most), first).value;
}

function listKey(list: readonly string[]): string {
  return list.join("\0");
}

function splitList(text: string): readonly string[] {
  return text
    .split(";")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}
