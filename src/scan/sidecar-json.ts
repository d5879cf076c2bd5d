import type { BookFields, Chapter, SeriesPosition } from "../domain/book.ts";
import { personKey, splitPeople } from "../domain/people.ts";
import { plainText } from "../domain/plain-text.ts";
import { normalizePosition, parseSeries, parseSeriesList, uniqueSeries } from "../domain/series.ts";
import { asinOf, flagOf, genresOf, isbnOf, yearOf } from "./draft-values.ts";
import { withoutNothing } from "./sidecar-fields.ts";

export interface JsonSidecar {
  readonly fields: BookFields;
  readonly chapters: readonly Chapter[];
  /** Keys whose value is of another type than Audiobookshelf writes: they were ignored, the others were not. */
  readonly ignoredKeys: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/**
 * What Audiobookshelf's `metadata.json` says, flat as it writes it now or in `{ "metadata": {…} }` as it did.
 * Only the keys named here are looked at. Throws an Error that says what is wrong where it is no JSON object.
 */
export function readMetadataJson(text: string): JsonSidecar {
  const json: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
  if (!isObject(json)) throw new Error("it holds no JSON object");
  const nested = own(json, "metadata");
  const metadata = isObject(nested) ? nested : json;
  const ignoredKeys: string[] = [];
  const read = <T>(key: string, parse: (value: unknown) => T | undefined): T | null => {
    const value = own(metadata, key) ?? null;
    if (value === null) return null;
    const parsed = parse(value);
    if (parsed === undefined) ignoredKeys.push(key);
    return parsed ?? null;
  };
  const chapterList = own(json, "chapters") ?? own(metadata, "chapters") ?? [];
  const chapters = chaptersOf(chapterList);
  if (chapters === undefined) ignoredKeys.push("chapters");
  const fields = withoutNothing({
    title: read("title", textOf),
    subtitle: read("subtitle", textOf),
    authors: read("authors", namesOf) ?? splitPeople(read("authorName", textOf) ?? ""),
    narrators: read("narrators", namesOf) ?? splitPeople(read("narratorName", textOf) ?? ""),
    series: read("series", seriesOf) ?? parseSeriesList(read("seriesName", textOf) ?? ""),
    year: read("publishedYear", yearValueOf) ?? read("publishedDate", yearValueOf),
    publisher: read("publisher", textOf),
    language: read("language", textOf),
    description: plainText(read("description", textOf) ?? ""),
    genres: read("genres", genreListOf) ?? [],
    asin: asinOf(read("asin", textOf) ?? ""),
    isbn: isbnOf(read("isbn", textOf) ?? ""),
    explicit: read("explicit", booleanOf),
    abridged: read("abridged", booleanOf),
  });
  return { fields, chapters: chapters ?? [], ignoredKeys };
}

/** An own key only: what a prototype holds, or a key named `__proto__` would, is nothing the file says. */
function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value.trim() : undefined;
}

/** In a list every entry is one person, spelled as it should be; in a text several may stand. */
function namesOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return splitPeople(value);
  if (!Array.isArray(value)) return undefined;
  const names = new Map<string, string>();
  for (const entry of value) {
    const name = textOf(isObject(entry) ? own(entry, "name") : entry);
    if (name === undefined) return undefined;
    if (name !== "" && !names.has(personKey(name))) names.set(personKey(name), name);
  }
  return [...names.values()];
}

/** `["Name #1"]`, or `[{ "name": "Name", "sequence": "1" }]`. */
function seriesOf(value: unknown): readonly SeriesPosition[] | undefined {
  if (typeof value === "string") return parseSeriesList(value);
  const entries = Array.isArray(value) ? value : [value];
  const series: SeriesPosition[] = [];
  for (const entry of entries) {
    const name = textOf(isObject(entry) ? own(entry, "name") : entry);
    if (name === undefined) return undefined;
    const sequence = isObject(entry) ? (own(entry, "sequence") ?? null) : null;
    const position = sequence === null ? null : normalizePosition(String(sequence));
    const parsed = isObject(entry) ? null : parseSeries(name);
    if (name !== "") series.push(parsed ?? { name, position });
  }
  return uniqueSeries(series);
}

function genreListOf(value: unknown): readonly string[] | undefined {
  if (typeof value === "string") return genresOf([value]);
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === "string")) return undefined;
  return genresOf(value);
}

function yearValueOf(value: unknown): number | undefined {
  return typeof value === "string" || typeof value === "number" ? (yearOf(value) ?? undefined) : undefined;
}

function booleanOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  return typeof value === "string" || typeof value === "number"
    ? (flagOf(String(value)) ?? undefined)
    : undefined;
}

/** Times are seconds with fractions. One entry that is none makes the whole list worthless. */
function chaptersOf(value: unknown): readonly Chapter[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const chapters: Chapter[] = [];
  for (const entry of value) {
    if (!isObject(entry)) return undefined;
    const start = own(entry, "start");
    const end = own(entry, "end");
    if (!isTime(start) || !isTime(end) || end < start) return undefined;
    const title = textOf(own(entry, "title")) || `Chapter ${chapters.length + 1}`;
    chapters.push({ title, startMs: Math.round(start * 1000), endMs: Math.round(end * 1000) });
  }
  return chapters.sort((a, b) => a.startMs - b.startMs);
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
