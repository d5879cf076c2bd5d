import type { SeriesPosition } from "../domain/book.ts";
import { splitPeople } from "../domain/people.ts";
import { normalizePosition, positionWordPattern } from "../domain/series.ts";

/** The name of a book's folder or file, with all that is no title taken out of it. */
export interface TitlePart {
  /** What is left, cut at ` - `: never empty. */
  readonly parts: readonly string[];
  readonly year: number | null;
  /** From `(Book 2)`. */
  readonly position: string | null;
  /** From `(Series 05)`. */
  readonly series: readonly SeriesPosition[];
  readonly asin: string | null;
  readonly narrators: readonly string[];
  readonly abridged: boolean | null;
}

/** Takes a name apart. A name that is nothing but what would be taken out ("(2001)") is a title. */
export function readTitlePart(name: string): TitlePart {
  const found = nothingFound();
  const parts = takeBrackets(withSpaces(name), found)
    .split(" - ")
    .map((part) => takeReader(takeTrailingNoise(part, found), found).trim())
    .filter((part) => part !== "" && part !== "-" && !(noisePart.test(part) && isNoise(part, found)));
  return parts.length === 0 ? { ...nothingFound(), parts: [name.trim()] } : { ...found, parts };
}

/** The figures of a name and what is left without them. */
export interface Numbers {
  /** Never empty: "1984" stays a title. */
  readonly parts: readonly string[];
  readonly year: number | null;
  readonly position: string | null;
}

/**
 * Takes off what stands in front of a title, in any order: `Vol. 1 - `, `Book 2 - `, `1. `, `0.5 - `, `1999 - `;
 * and a year behind it, as long as `keepAtLeast` parts are left ("George Orwell - 1984" needs two).
 */
export function takeNumbers(all: readonly string[], keepAtLeast: number): Numbers {
  let parts = all;
  let foundYear: number | null = null;
  let foundPosition: string | null = null;
  for (let first = parts[0]; first !== undefined; first = parts[0]) {
    const rest = parts.slice(1);
    const position = positionOf(first);
    const inFront = positionInFront.exec(first) ?? paddedInFront.exec(first);
    if (rest.length > 0 && year.test(first)) foundYear = Number(first);
    else if (rest.length > 0 && position !== null) foundPosition = position;
    else if (inFront !== null) {
      foundPosition = normalizePosition(inFront[1] ?? inFront[2] ?? "");
      rest.unshift(inFront.at(-1) ?? "");
    } else break;
    parts = rest;
  }
  const last = parts.at(-1);
  if (parts.length > keepAtLeast && last !== undefined && year.test(last)) {
    return { parts: parts.slice(0, -1), year: foundYear ?? Number(last), position: foundPosition };
  }
  return { parts, year: foundYear, position: foundPosition };
}

/** The position of a part that is nothing else: `02`, `0.5`, `1-3`, `#2`, `Book 2`. */
export function positionOf(part: string): string | null {
  return normalizePosition(purePosition.exec(part)?.[1] ?? "");
}

/** The same where a word or a `#` says that it is one. */
export function markedPositionOf(part: string): string | null {
  return /^[\d.]/.test(part) ? null : positionOf(part);
}

/**
 * A part like `Series 02`, `Series #2`, `Series, Book 2`. Without a mark only a number of one or two figures, or
 * with leading zeros, is a position ("Fahrenheit 451" is a title); `isSure` says that there was a mark or a
 * leading zero.
 */
export function seriesPartOf(
  part: string,
): { readonly name: string; readonly position: string; readonly isSure: boolean } | null {
  const match = seriesWithNumber.exec(part.replace(/^[([](.*)[)\]]$/, "$1"));
  const [, name = "", mark = "", digits = ""] = match ?? [];
  const position = normalizePosition(digits);
  if (match === null || position === null || !/\p{L}/u.test(name)) return null;
  const isSure = mark.trim() !== "" || /^0|[.-]/.test(digits);
  return isSure || digits.length <= 2 ? { name: name.replace(/[\s,:-]+$/, ""), position, isSure } : null;
}

interface Found {
  year: number | null;
  position: string | null;
  series: SeriesPosition[];
  asin: string | null;
  narrators: readonly string[];
  abridged: boolean | null;
}

const digits = String.raw`\d{1,3}(?:\.\d{1,2})?[a-z]?`;
const positionText = String.raw`${digits}(?:\s?-\s?${digits})?`;
const word = String.raw`(?:${positionWordPattern}\s*)`;

const year = /^(?:1\d|20)\d\d$/;
const asin = /^(?=.*\d)[A-Z0-9]{10}$/;
const purePosition = new RegExp(`^(?:${word}#?|#)?(${positionText})$`, "i");
const positionInFront = new RegExp(
  `^(?:${word}#?(${positionText})\\s*[.:,]|#?(${positionText})[.:])\\s+(.+)$`,
  "i",
);
const paddedInFront = /^(0\d{1,2}(?:\.\d)?)\s+(?=\S)(.+)$/;
const seriesWithNumber = new RegExp(
  `^(.+?)((?:\\s*[,:]\\s*|\\s+)(?:${word}#?\\s*|#\\s*)?|\\s*#\\s*)(${positionText})$`,
  "i",
);
const bracketPosition = new RegExp(`^(?:(?:book|bk|vol(?:ume)?)\\.?\\s*#?|#)\\s*(${positionText})$`, "i");
/** `[06] Title`. */
const bareNumber = new RegExp(`^${positionText}$`, "i");
const reader = /^(.*?)(?:^|[\s,(-]+)(?:read|narrated)\s+by\s*:?\s+(.+)$/i;
const noiseWord =
  /^(?:mp3|m4b|m4a|aac|flac|ogg|opus|wma|vbr|cbr|k?bps|kbits?|kb\/s|k?hz|stereo|mono|retail|audible|audio|audiobooks?|chapteri[sz]ed|\d{2,3}(?:k|kbps|kb|kbits?|kb\/s)?|\d{2}(?:\.\d+)?khz|(?:cd|dis[ck])s?\d*|\d+(?:cds?|discs?))$/i;
/** Of a part between ` - ` only words that are no titles. */
const noisePart =
  /^(?:(?:(?:un)?abridged|audio ?book|mp3|m4b|m4a|flac|\d{2,3}\s?k(?:bps|b)?)(?:[\s,]+|$))+$/i;
const discCount = /^(?:cd|dis[ck])s?\s*\d+(?:\s*of\s*\d+)?$/i;
const trailingNoise = /[\s,]+(?:(?:un)?abridged|\d{2,3}\s?kbps|mp3|m4b|m4a|flac)$/i;

function nothingFound(): Found {
  return { year: null, position: null, series: [], asin: null, narrators: [], abridged: null };
}

/** `Author_-_Title` and `A.Long.Title` have no spaces: the other sign stands for them. */
function withSpaces(name: string): string {
  let text = name.trim();
  if (!/\s/.test(text)) {
    if (text.includes("_")) text = text.replaceAll("_", " ");
    else if (/^(?:[^.]{2,}\.){2,}[^.]{2,}$/.test(text) && /\p{L}{3}/u.test(text))
      text = text.replaceAll(".", " ");
  }
  return text.replace(/\s+[-–—]+\s+/g, " - ").replace(/\s+/g, " ");
}

/** Takes out the brackets that say something else than the title; the others stay in it. */
function takeBrackets(text: string, found: Found): string {
  const left = text.replace(
    /\[([^[\](){}]*)\]|\(([^[\](){}]*)\)|\{([^[\](){}]*)\}/g,
    (whole, square, round, curly, at) => {
      const content = String(square ?? round ?? curly).trim();
      if (square !== undefined && at === 0 && bareNumber.test(content)) {
        found.position = normalizePosition(content);
        return " ";
      }
      const isTaken = curly === undefined ? takeBracket(content, found) : takeCurly(content, found);
      return isTaken ? " " : whole;
    },
  );
  return left
    .replace(/\s+/g, " ")
    .replace(/(?: -)+ - /g, " - ")
    .replace(/^\s*(?:- )+|(?: -)+\s*$/g, "")
    .trim();
}

function takeCurly(content: string, found: Found): boolean {
  if (isNoise(content, found)) return true;
  if (asin.test(content)) {
    found.asin = content;
    return true;
  }
  const people = splitPeople(content.replace(/^(?:read|narrated)\s+by\s+/i, ""));
  if (people.length === 0 || /\d/.test(content)) return false;
  found.narrators = people;
  return true;
}

function takeBracket(content: string, found: Found): boolean {
  if (discCount.test(content) || isNoise(content, found)) return true;
  if (year.test(content)) {
    found.year = Number(content);
    return true;
  }
  if (asin.test(content)) {
    found.asin = content;
    return true;
  }
  const by = /^(?:read|narrated)\s+by\s*:?\s+(.+)$/i.exec(content)?.[1];
  if (by !== undefined) {
    found.narrators = splitPeople(by);
    return true;
  }
  const position = bracketPosition.exec(content)?.[1];
  if (position !== undefined) {
    found.position = normalizePosition(position);
    return true;
  }
  const series = seriesWithNumber.exec(content);
  return series !== null && takeBracketSeries(series, found);
}

function takeBracketSeries(match: RegExpExecArray, found: Found): boolean {
  const name = (match[1] ?? "").replace(/[\s,:-]+$/, "");
  const position = normalizePosition(match[3] ?? "");
  if (position === null || !/\p{L}/u.test(name) || wordAlone.test(name)) return false;
  found.series.push({ name, position });
  return true;
}

const wordAlone = new RegExp(`^${positionWordPattern}$`, "i");

/** Bitrates, formats, counts of discs: how the audio was made, not what it is. */
function isNoise(text: string, found: Found): boolean {
  const words = text.split(/[\s,+|/-]+/).filter((one) => one !== "");
  if (words.length === 0) return false;
  let abridged: boolean | null = null;
  let hasWord = false;
  for (const one of words) {
    if (/^(?:un)?abridged$/i.test(one)) abridged = !/^un/i.test(one);
    else if (!noiseWord.test(one)) return false;
    if (/\p{L}/u.test(one)) hasWord = true;
  }
  if (!hasWord) return false;
  if (abridged !== null) found.abridged = abridged;
  return true;
}

function takeTrailingNoise(part: string, found: Found): string {
  let text = part;
  for (let match = trailingNoise.exec(text); match !== null; match = trailingNoise.exec(text)) {
    isNoise(match[0], found);
    text = text.slice(0, match.index);
  }
  return text;
}

function takeReader(part: string, found: Found): string {
  const match = reader.exec(part);
  const people = splitPeople(match?.[2] ?? "");
  if (match === null || people.length === 0) return part;
  found.narrators = people;
  return match[1] ?? "";
}
