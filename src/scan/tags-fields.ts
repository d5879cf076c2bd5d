import type { TrackTags } from "../domain/scan.ts";

/**
 * What a tag says, under one set of names for all formats. The format's own fields win over free-form ones
 * of the same meaning (TXXX, `----`, APE), which tools add beside them.
 */
export interface TagFields {
  /** `name` is one of the names below. */
  own(name: string, value: string): void;
  /** `name` is what the file has: case, spaces, `-` and `_` do not matter. */
  free(name: string, value: string): void;
  /** The values of the first of these names that has any. */
  values(...names: readonly string[]): readonly string[];
  /** The free-form names, as they are compared: capital letters and digits only. */
  freeNames(): Iterable<string>;
}

/** More than any real tag holds: what a damaged or hostile one can make us carry is bounded. */
const limits = { valuesPerName: 200, names: 2000, valueLength: 100_000 } as const;

export function createTagFields(): TagFields {
  const ownFields = new Map<string, string[]>();
  const freeFields = new Map<string, string[]>();
  return {
    own: (name, value) => add(ownFields, name, value),
    free: (name, value) => add(freeFields, comparable(name), value),
    values(...names) {
      for (const name of names) {
        const found = ownFields.get(name) ?? freeFields.get(name);
        if (found !== undefined) return found;
      }
      return [];
    },
    freeNames: () => freeFields.keys(),
  };
}

function add(fields: Map<string, string[]>, name: string, value: string): void {
  const text = clean(value);
  if (text === "" || name === "") return;
  const values = fields.get(name);
  if (values === undefined) {
    if (fields.size < limits.names) fields.set(name, [text]);
  } else if (values.length < limits.valuesPerName) values.push(text);
}

function clean(value: string): string {
  const text = value.length > limits.valueLength ? value.slice(0, limits.valueLength) : value;
  return (text.includes("\0") ? text.replaceAll("\0", " ") : text).trim();
}

function comparable(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, "");
}

/** The raw values that the rules work on (docs: library conventions, "Tags"). */
export function toTrackTags(fields: TagFields): TrackTags {
  const first = (...names: readonly string[]): string | null => fields.values(...names)[0] ?? null;
  return {
    title: first("TITLE"),
    album: first("ALBUM"),
    artists: fields.values("ARTIST"),
    albumArtists: fields.values("ALBUMARTIST"),
    composers: fields.values("COMPOSER"),
    narrators: fields.values("NARRATOR"),
    performers: fields.values("PERFORMER", "READER"),
    disc: numberOf(first("DISCNUMBER", "DISC", "PARTOFSET")),
    track: numberOf(first("TRACKNUMBER", "TRACK", "PARTNUMBER")),
    subtitle: first("SUBTITLE"),
    year: yearOf(first("DATE", "YEAR", "DATERELEASED", "DATERECORDED", "ORIGINALDATE", "ORIGINALYEAR")),
    publisher: first("PUBLISHER", "ORGANIZATION", "LABEL"),
    language: first("LANGUAGE"),
    description: first("LONGDESCRIPTION", "DESCRIPTION", "SYNOPSIS"),
    comment: first("COMMENT"),
    genres: fields.values("GENRE"),
    asin: first("ASIN", "AUDIBLEASIN", "CDEK"),
    isbn: first("ISBN"),
    explicit: factOf(first("EXPLICIT", "ITUNESADVISORY"), "explicit", "clean"),
    abridged: factOf(first("ABRIDGED"), "abridged", "unabridged"),
    series: fields.values("SERIES", "SHOW", "TVSHOW", "MOVEMENTNAME", "MVNM"),
    seriesParts: fields.values("SERIESPART", "PART", "MOVEMENT", "MVIN", "SERIESINDEX"),
    grouping: first("GROUPING", "CONTENTGROUP"),
  };
}

/** `3`, `03`, `3/12`, `Disc 3`. */
function numberOf(text: string | null): number | null {
  const digits = text === null ? null : /\d{1,9}/.exec(text);
  const value = digits === null ? 0 : Number(digits[0]);
  return value > 0 ? value : null;
}

function yearOf(text: string | null): number | null {
  const digits = text === null ? null : (/(?<!\d)\d{4}(?!\d)/.exec(text) ?? /^\d{4}/.exec(text));
  const value = digits === null ? 0 : Number(digits[0]);
  return value > 0 ? value : null;
}

function factOf(text: string | null, yes: string, no: string): boolean | null {
  const word = text?.toLowerCase();
  if (word === undefined) return null;
  if (word === "1" || word === "true" || word === "yes" || word === "4" || word === yes) return true;
  if (word === "0" || word === "false" || word === "no" || word === "2" || word === no) return false;
  return null;
}
