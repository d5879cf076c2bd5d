import type { SeriesPosition } from "./book.ts";
import { foldText } from "./text.ts";

/**
 * A position as it is kept: text, each number without leading zeros (`00.5` is `0.5`, `01-03` is `1-3`, `01a`
 * is `1a`), without `#`, `Book`, `Vol.` before it and without the total behind it (`2/7`, `2 of 7`). Words stay
 * as they are ("Prequel"). Null where nothing is left.
 */
export function normalizePosition(text: string): string | null {
  if (text === "" || text.length > 100) return null;
  if (/^[1-9]\d*$/.test(text)) return text;
  const bare = text
    .trim()
    .replace(positionWord, "")
    .replace(/\s*(?:\/|\bof\b)\s*\d+\s*$/i, "")
    .replace(/(\d[a-z]?)\s*[-–—]\s*(?=[\d.])/gi, "$1-")
    .trim();
  if (bare === "" || bare.length > 40) return null;
  return bare
    .replace(/^\.(?=\d)|(?<=-)\.(?=\d)/g, "0.")
    .replace(/(?<![\d.])0+(?=\d)/g, "")
    .replace(/(\d)\.0+(?![\d.])/g, "$1");
}

/**
 * The series of a tag, a sidecar or a grouping: `Name #2; Other #1`, `Name, Book 2`, `Name (Book 2)`. A part
 * without a position is a series without one. Each series once.
 */
export function parseSeriesList(text: string): readonly SeriesPosition[] {
  const entries = splitSeries(text).filter((entry) => !entry.startsWith("#"));
  return uniqueSeries(entries.map((entry) => parseSeries(entry) ?? { name: entry, position: null }));
}

/** The parts between `;`, and between commas behind a `#2` (`Name #2, Other #1`, as Audiobookshelf writes it). */
export function splitSeries(text: string): readonly string[] {
  return text
    .split(/;|(?<=#\s{0,2}[\w.-]{1,12})\s{0,2},(?=[^,;#]*\p{L})/u)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}

/** One series with its position beside it (`#2`, `Book 2`, `Vol. 2`), or null where there is no position. */
export function parseSeries(text: string): SeriesPosition | null {
  if (text.length > maxSeriesLength) return null;
  const match = withMark.exec(text.trim()) ?? withWord.exec(text.trim());
  const name = cleanName(match?.[1] ?? "");
  const position = normalizePosition(match?.[2] ?? "");
  return name === "" || position === null ? null : { name, position };
}

/** Each series once, by its name; the first one with a position counts. */
export function uniqueSeries(series: readonly SeriesPosition[]): readonly SeriesPosition[] {
  const byName = new Map<string, SeriesPosition>();
  for (const entry of series) {
    const key = foldText(entry.name);
    const known = byName.get(key);
    if (key !== "" && (known === undefined || known.position === null)) {
      byName.set(key, known === undefined ? entry : { name: known.name, position: entry.position });
    }
  }
  return [...byName.values()];
}

const number = String.raw`\d+(?:\.\d+)?[a-z]?`;
/** A position's text as it stands in names: `2`, `0.5`, `1-3`, `01a`. */
const positionPattern = String.raw`(?:\.\d+|${number}(?:\s*[-–]\s*${number})?)(?![\w.])`;
/** The words before a position. */
export const positionWordPattern = String.raw`(?:books?|bk|vol(?:ume)?s?|part|episode|no|nr|number)\b\.?`;

const positionWord = new RegExp(`^(?:${positionWordPattern}\\s*(?=[#\\d.]))?#?\\s*`, "i");
// "The Jungle Book #1" is of "The Jungle Book": before a mark the word goes only behind a comma or its like.
const before = String.raw`\s*[,:([–—-]+\s*`;
const withMark = new RegExp(
  `^(.*?)(?:${before}(?:${positionWordPattern}\\s*)?|\\s*)#\\s*([^\\s#;()\\[\\]][^#;()\\[\\]]*)[)\\]]?$`,
  "i",
);
const withWord = new RegExp(
  `^(.*?)(?:${before}${positionWordPattern}|\\s(?:book|bk|vol(?:ume)?)\\b\\.?)\\s*(${positionPattern})\\s*[)\\]]?$`,
  "i",
);

/** Longer text is prose; the patterns above need time by the square of a text's length. */
const maxSeriesLength = 300;

function cleanName(name: string): string {
  return name
    .replace(/[\s,:–—([-]+$/, "")
    .replace(/\s+/g, " ")
    .trim();
}

/** What makes two spellings one series: "The Expanse", "Expanse Series", "expanse". */
export function seriesKey(name: string): string {
  const words =
    foldText(name)
      .replace(/['`.]/g, "")
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  const telling = words.filter((word) => !seriesNoise.has(word));
  return (telling.length === 0 ? words : telling).join(" ");
}

const seriesNoise = new Set(
  "the a an series saga cycle novels books der die das reihe serie zyklus le la les el los las".split(" "),
);
