import { distance } from "fastest-levenshtein";
import type { SeriesPosition } from "../domain/book.ts";
import { lastNameOf, personKey } from "../domain/people.ts";
import { seriesKey } from "../domain/series.ts";
import { foldText } from "../domain/text.ts";
import type { SourceBook } from "../plugin.ts";
import { languageCode } from "./language.ts";
import { numbersAgree, type TitleParts, titleParts, titleSimilarity } from "./title.ts";

/** What of a book counts when it is compared with what a source offers. */
export interface MatchedBook {
  readonly title: string;
  readonly subtitle: string | null;
  readonly authors: readonly string[];
  readonly narrators: readonly string[];
  readonly series: readonly SeriesPosition[];
  readonly language: string | null;
  readonly asin: string | null;
  readonly isbn: string | null;
  readonly abridged: boolean | null;
  readonly durationSeconds: number;
}

export interface Score {
  /** 0 to 1. */
  readonly value: number;
  /** What spoke for and against it, for a person to read. */
  readonly reasons: readonly string[];
}

/** Found by trying against the labelled pairs in test/fixtures/matches. */
const weights = { title: 0.5, author: 0.3, series: 0.08, narrator: 0.1, duration: 0.2 };
/** What can be no match at all, whatever else speaks for it. */
const no = 0.4;
/** What a person has to look at, whatever else speaks for it. */
const unsure = 0.8;

/** How sure it is that a source's book is this one. */
export function scoreMatch(book: MatchedBook, offered: SourceBook): Score {
  const { fields } = offered;
  const theirs = {
    title: fields.title ?? "",
    authors: fields.authors ?? [],
    narrators: fields.narrators ?? [],
    series: fields.series ?? [],
  };
  const seriesNames = [...book.series, ...theirs.series].map(({ name }) => name);
  const a = titleParts(book.title, book.subtitle, seriesNames);
  const b = titleParts(theirs.title, fields.subtitle ?? null, seriesNames);
  const title = titleSimilarity(a, b);
  const author = bestOf(book.authors, theirs.authors, authorSimilarity);
  const narrator = bestOf(book.narrators, theirs.narrators, authorSimilarity);
  const duration = durationSimilarity(book.durationSeconds, offered.durationSeconds);
  const series = seriesSimilarity(book.series, theirs.series);
  const hasSameId = isSameId(book.asin, fields.asin) || isSameId(isbn13(book.isbn), isbn13(fields.isbn));

  const reasons = [`title ${percent(title)}`];
  const known: [weight: number, similarity: number][] = [[weights.title, title]];
  for (const [name, similarity] of Object.entries({ author, series, narrator, duration })) {
    if (similarity === null) continue;
    known.push([weights[name as keyof typeof weights], similarity]);
    reasons.push(`${name} ${percent(similarity)}`);
  }
  const sum = known.reduce((total, [weight, similarity]) => total + weight * similarity, 0);
  let value = sum / known.reduce((total, [weight]) => total + weight, 0);
  for (const [limit, reason] of limitsOf({
    book,
    offered,
    a,
    b,
    title,
    author,
    narrator,
    duration,
    series,
  })) {
    if (hasSameId && limit === unsure) continue;
    if (value > limit) value = limit;
    reasons.push(reason);
  }
  if (hasSameId) {
    reasons.push("the same ASIN or ISBN");
    // An ASIN that was copied from another book's files has another title.
    value = title >= 0.35 || (author ?? 0) >= 0.7 ? Math.max(value, 0.95) : Math.max(value, 0.6);
  }
  return { value: Math.round(value * 1000) / 1000, reasons };
}

interface Compared {
  readonly book: MatchedBook;
  readonly offered: SourceBook;
  readonly a: TitleParts;
  readonly b: TitleParts;
  readonly title: number;
  readonly author: number | null;
  readonly narrator: number | null;
  readonly duration: number | null;
  readonly series: number | null;
}

/** What keeps a score down, however much else is the same. */
function limitsOf(compared: Compared): readonly (readonly [limit: number, reason: string])[] {
  const { book, offered, a, b, title, author, narrator, duration, series } = compared;
  const numbers = numbersAgree(a, b);
  const isSurelyLong = duration !== null && duration >= 0.9;
  const abridged = [book.abridged ?? a.isAbridged, offered.fields.abridged ?? b.isAbridged] as const;
  const languages = [languageCode(book.language), languageCode(offered.fields.language ?? null)] as const;
  const positions = [positionOf(book.series), positionOf(offered.fields.series ?? [])];
  const hasPosition = [...a.numbers, ...b.numbers].every((number) => positions.includes(number));
  const limits: readonly (readonly [boolean, number, string])[] = [
    [title < 0.5, no, "another title"],
    [author !== null && author < 0.5, no, "another author"],
    [author === null && !isSurelyLong, unsure, "no author to compare"],
    [numbers === false, no, "another volume"],
    [numbers === null && !hasPosition && !isSurelyLong, unsure, "a volume number on one side only"],
    [series === 0, no, "another place in the series"],
    [a.isCollection !== b.isCollection, no, "one is a collection"],
    [a.isDerived !== b.isDerived, no, "one is not the book itself"],
    [narrator !== null && narrator < 0.5, unsure, "another narrator"],
    [duration !== null && duration < 0.5, unsure, "another running time"],
    [differ(abridged), unsure, "one is abridged"],
    [differ(languages), no, "another language"],
  ];
  return limits.flatMap(([holds, limit, reason]) => (holds ? [[limit, reason] as const] : []));
}

function differ([a, b]: readonly [unknown, unknown]): boolean {
  return a !== null && b !== null && a !== b;
}

function positionOf(series: readonly SeriesPosition[]): string | null {
  return series.find(({ position }) => position !== null)?.position ?? null;
}

function bestOf(
  ours: readonly string[],
  theirs: readonly string[],
  similarity: (a: string, b: string) => number,
): number | null {
  if (ours.length === 0 || theirs.length === 0) return null;
  return Math.max(...ours.flatMap((a) => theirs.map((b) => similarity(a, b))));
}

/** "J. Tolkien" may be "John Ronald Reuel Tolkien"; "Jane Tolkien" is neither. */
export function authorSimilarity(a: string, b: string): number {
  const [left, right] = [personKey(a), personKey(b)];
  if (left === right) return 1;
  const [first, second] = [nameParts(a), nameParts(b)];
  if (first.last === second.last) {
    if (first.given.length === 0 || second.given.length === 0) return 0.7;
    return isShortened(first.given, second.given) || isShortened(second.given, first.given) ? 0.9 : 0.3;
  }
  const likeness = 1 - distance(left, right) / Math.max(left.length, right.length);
  if (likeness >= 0.85) return likeness;
  // "Liu Cixin" and "Cixin Liu".
  return [...left.split(" ")].sort().join(" ") === [...right.split(" ")].sort().join(" ") ? 0.95 : 0;
}

function nameParts(name: string): { readonly last: string; readonly given: readonly string[] } {
  const last = foldText(lastNameOf(name));
  const words = foldText(name).match(/[\p{L}\p{N}]+/gu) ?? [];
  const ofLast = new Set(last.match(/[\p{L}\p{N}]+/gu) ?? []);
  return { last, given: words.filter((word) => !ofLast.has(word)) };
}

/** Whether the given names are the first of the others', each whole, as an initial, or as letters run together. */
function isShortened(short: readonly string[], long: readonly string[]): boolean {
  const spread = short.flatMap((word) =>
    word.length <= 3 && long.length > 1 && short.length === 1 && word.length > 1 ? [...word] : [word],
  );
  return (
    spread.length <= long.length && spread.every((word, index) => long[index]?.startsWith(word) === true)
  );
}

/** Null where one is not known. A running time is rounded to minutes, and a shop adds its jingle. */
function durationSimilarity(ours: number, theirs: number | null): number | null {
  if (theirs === null || theirs <= 0 || ours <= 0) return null;
  const difference = Math.abs(ours - theirs);
  if (difference <= Math.max(120, theirs * 0.02)) return 1;
  const share = difference / Math.max(ours, theirs);
  return share <= 0.05 ? 0.9 : share <= 0.12 ? 0.6 : 0;
}

function seriesSimilarity(ours: readonly SeriesPosition[], theirs: readonly SeriesPosition[]): number | null {
  for (const a of ours) {
    for (const b of theirs) {
      if (seriesKey(a.name) !== seriesKey(b.name)) continue;
      if (a.position === null || b.position === null) return 0.8;
      return a.position === b.position ? 1 : 0;
    }
  }
  return null;
}

function isSameId(ours: string | null | undefined, theirs: string | null | undefined): boolean {
  return ours != null && theirs != null && ours !== "" && ours.toUpperCase() === theirs.toUpperCase();
}

/** An ISBN as 13 digits; null for what is none. */
export function isbn13(text: string | null | undefined): string | null {
  const bare = (text ?? "").replace(/[^\dXx]/g, "").toUpperCase();
  if (/^97[89]\d{10}$/.test(bare)) return bare;
  if (!/^\d{9}[\dX]$/.test(bare)) return null;
  const digits = `978${bare.slice(0, 9)}`;
  const sum = [...digits].reduce(
    (total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3),
    0,
  );
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
