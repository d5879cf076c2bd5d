import { distance } from "fastest-levenshtein";
import { foldText } from "../domain/text.ts";

/** What a title says when series, edition and packaging are taken off it. */
export interface TitleParts {
  /** Words of the title proper. */
  readonly main: readonly string[];
  /** Words behind a colon, a dash or in brackets. */
  readonly rest: readonly string[];
  readonly subtitle: readonly string[];
  /** Volume and part numbers, in order. */
  readonly numbers: readonly string[];
  /** Several books as one. */
  readonly isCollection: boolean;
  /** Not the book but something about it, or made of it: a summary, a graphic novel. */
  readonly isDerived: boolean;
  readonly isAbridged: boolean | null;
}

export function titleParts(
  title: string,
  subtitle: string | null,
  seriesNames: readonly string[],
): TitleParts {
  const series = seriesNames.map(plainWords).filter((words) => words.length > 0);
  const all = foldText(`${title} : ${subtitle ?? ""}`);
  // "The Farseer Trilogy, Book 1" is one book of a trilogy.
  const withoutNames = [...seriesNames]
    .sort((one, other) => other.length - one.length)
    .reduce((text, name) => text.replaceAll(foldText(name), " "), all);
  const own = segments(title).map((segment, index) => tellingWords(segment, series, index === 0));
  const [first = [], ...others] = own.filter((words) => words.length > 0);
  const said = segments(subtitle ?? "").map((segment) => tellingWords(segment, series, false));
  const withoutNumbers = (words: readonly string[]) => words.filter((word) => !isNumber(word));
  return {
    main: withoutNumbers(first),
    rest: withoutNumbers(others.flat()),
    subtitle: withoutNumbers(said.flat()),
    numbers: [first, ...others, ...said].flat().filter(isNumber),
    isCollection: collection.test(withoutNames),
    isDerived: derived.test(all),
    isAbridged: unabridged.test(all) ? false : abridged.test(all) ? true : null,
  };
}

/**
 * How much two titles are the same, 0 to 1: the share of their words, weighted by length, that have a like one on the
 * other side. A title that goes on behind a colon where the other does not is less sure than one that is the same.
 */
export function titleSimilarity(a: TitleParts, b: TitleParts): number {
  const [restA, restB] = [
    [...a.rest, ...a.subtitle],
    [...b.rest, ...b.subtitle],
  ];
  const main = overlap(a.main, b.main);
  const best = Math.max(
    overlap([...a.main, ...restA], [...b.main, ...restB]),
    main * restsAgree(a, b, overlap(restA, restB)),
    // "Mistborn: The Final Empire" is "The Final Empire", where the series was not known.
    a.rest.length === 0 || b.rest.length === 0
      ? Math.max(overlap(a.rest, b.main), overlap(a.main, b.rest)) * 0.9
      : 0,
  );
  return best ** 1.5;
}

/** How much it is worth that the titles proper are the same. */
function restsAgree(a: TitleParts, b: TitleParts, rests: number): number {
  const isSilent = ({ rest, subtitle }: TitleParts) => rest.length === 0 && subtitle.length === 0;
  if (isSilent(a) && isSilent(b)) return 1;
  if (!isSilent(a) && !isSilent(b)) return 0.6 + 0.4 * rests;
  // Who has no subtitle may have left it out; "Thrawn: Alliances" is another book than "Thrawn".
  return a.rest.length === 0 && b.rest.length === 0 ? 0.97 : 0.8;
}

/** Without numbers one volume cannot be told from another; one with a number may be a part of one without. */
export function numbersAgree(a: TitleParts, b: TitleParts): boolean | null {
  if (a.numbers.length === 0 && b.numbers.length === 0) return true;
  if (a.numbers.length === 0 || b.numbers.length === 0) return null;
  return a.numbers.join(" ") === b.numbers.join(" ");
}

/** 0 to 1, by words and their length: 1 where each has its like. */
function overlap(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return 0;
  if (a.join("") === b.join("")) return 1;
  const left = [...b];
  let shared = 0;
  for (const word of a) {
    const likeness = left.map((other) => wordLikeness(word, other));
    const best = Math.max(0, ...likeness);
    if (best === 0) continue;
    const [other = ""] = left.splice(likeness.indexOf(best), 1);
    shared += best * (word.length + other.length);
  }
  const total = [...a, ...b].reduce((sum, word) => sum + word.length, 0);
  return total === 0 ? 0 : shared / total;
}

/** A letter or two of a long word may be wrong, none of a short one. */
function wordLikeness(a: string, b: string): number {
  if (a === b) return 1;
  const length = Math.max(a.length, b.length);
  if (length < 5) return 0;
  const likeness = 1 - distance(a, b) / length;
  return likeness >= 0.8 ? likeness : 0;
}

const collection =
  /\b(box(?:ed)? ?set|omnibus|trilogy|tetralogy|duology|(?:complete|collected) (?:series|works|collection|novels|stories|tales)|the complete|books? \d+ ?(?:-|–|to|through|&|and) ?\d+|volumes? \d+ ?(?:-|–|to|&|and) ?\d+|bundle|anthology|sammelband|gesamtausgabe|\d+ books?|collection)\b/;
const derived =
  /\b(summary|study guide|analysis|companion|workbook|sparknotes|cliffs?notes|conversation starters|unofficial|trivia|graphic (?:novel|history|adaptation)|colou?ring book|journal|sampler|excerpt|preview|making of|guide to the|teacher'?s guide|the movie|screenplay|radio (?:play|drama)|dramati[sz]ed|dramati[sz]ation|full[- ]cast|horspiel|bbc radio|manga|comic|picture book|young readers|retold)\b/;
/** Said of how it was made or sold, and nothing of what it is. */
const unabridged = /\bunabridged\b|\bungekurzt/;
const abridged = /\babridged\b|\bgekurzt/;
const packaging =
  /\b(?:(?:un)?abridged|audio ?book|audio cd|mp3 cd|kindle edition|hardcover|paperback|edition|anniversary|special|illustrated|revised|updated|expanded|deluxe|movie tie-in|media tie-in|tie-in|international|reissue|\d+(?:st|nd|rd|th)|an? (?:[\w-]+ ){0,2}(?:novel(?:la)?|memoir|thriller|mystery|romance|adventure|saga)|(?:fif|six|ten|twen)\w*th|roman|horbuch|ungekurzt\w*|gekurzt\w*|lesung|penguin classics?|modern classics?)\b/g;

function segments(text: string): readonly string[] {
  return foldText(text)
    .split(/[:;([\])/|]| [-–—] |[–—]/)
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** A segment's words that tell a book from another. */
function tellingWords(
  segment: string,
  series: readonly (readonly string[])[],
  isFirst: boolean,
): readonly string[] {
  const stripped = plainWords(segment.replace(packaging, " "));
  const words = stripped.length === 0 && isFirst ? plainWords(segment) : stripped;
  const bare = words.filter((word) => !isNumber(word)).join(" ");
  // The name of its series, with or without a number, says nothing behind the title.
  if (!isFirst && series.some((name) => name.join(" ") === bare)) return words.filter(isNumber);
  const prefix = series.find(
    (name) =>
      words.length > name.length + 1 &&
      name.every((word, index) => words[index] === word) &&
      isNumber(words[name.length] ?? ""),
  );
  return prefix === undefined ? words : words.slice(prefix.length);
}

const stopWords = new Set(
  "the a an and of in on at to for with by from der die das den dem des ein eine und von zu im le la les un une et de du des el los las y del il lo gli e di book books volume vol bk part pt no number teil band tome livre libro buch novel".split(
    " ",
  ),
);

/** The words that tell books apart; all of them where there are no others ("It", "The A"). */
function plainWords(text: string): readonly string[] {
  const words = (
    foldText(text)
      .replace(/['`.]/g, "")
      .match(/[\p{L}\p{N}]+/gu) ?? []
  ).map(asNumber);
  const telling = words.filter((word) => !stopWords.has(word));
  return telling.length === 0 ? words : telling;
}

const numberWords = new Map(
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    .split(" ")
    .map((word, index) => [word, String(index)] as const),
);
const romans = new Map(
  "ii iii iv vi vii viii ix xi xii xiii xiv xv"
    .split(" ")
    .map((word, index) => [word, String([2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 15][index])] as const),
);

function asNumber(word: string): string {
  if (/^\d+$/.test(word)) return String(Number(word));
  return numberWords.get(word) ?? romans.get(word) ?? word;
}

function isNumber(word: string): boolean {
  return /^\d+$/.test(word);
}

/** What to search for: the title without its series, its subtitle and what is said of its packaging. */
export function searchTitle(title: string, seriesNames: readonly string[]): string {
  const series = seriesNames.map(plainWords);
  const parts = title.split(/[:;([\])|]| [-–—] |[–—]/).map((part) => part.trim());
  const telling = parts.filter((part, index) => {
    const words = tellingWords(part, series, false).filter((word) => !isNumber(word));
    const isSeries = series.some((name) => name.join(" ") === words.join(" "));
    return words.length > 0 && !(index === 0 && isSeries && parts.length > 1);
  });
  const [first = title] = telling;
  const bare = first.replace(/\b(?:un)?abridged\b|\bungek(?:ü|u)rzt\b/gi, "").replace(/\s+/g, " ");
  return bare.trim() || title;
}
