import type { BookFields, SeriesPosition } from "../domain/book.ts";
import { hasInitials, looksLikePerson, personKey, splitPeople } from "../domain/people.ts";
import { uniqueSeries } from "../domain/series.ts";
import { foldText } from "../domain/text.ts";
import {
  markedPositionOf,
  positionOf,
  readTitlePart,
  seriesPartOf,
  type TitlePart,
  takeNumbers,
} from "./path-names-title.ts";

/** A book's place as names: the folders above it, from the root down, and its own name. */
export interface BookPlace {
  readonly folders: readonly string[];
  /** The book's folder or its file without extension; null where it has no name of its own. */
  readonly name: string | null;
}

/** What the tags say. It is used to tell author from title, never taken over. */
export interface NameEvidence {
  readonly authors: readonly string[];
  readonly title: string | null;
}

export interface PathNames {
  readonly fields: BookFields;
  /** True where the title is a name as it lies there: no author beside it, nothing in it that a rule understood. */
  readonly titleIsBareName: boolean;
}

/**
 * What the names of folders and files say about a book: `Author/Series/Title`, `Author/Title`, `Author - Title`,
 * `Title - Author`, and what stands in the title part. Of deeper folders the last two count
 * (`Genre/Author/Series/Title`), unless the tags name an author who is one of the folders.
 */
export function readPathNames(place: BookPlace, evidence: NameEvidence): PathNames {
  const known = new Set(evidence.authors.map(personKey));
  const layout = readFolders(place.folders, known);
  if (place.name === null) return { fields: fieldsOf(layout, null, null), titleIsBareName: false };
  const part = readTitlePart(place.name);
  const split = splitTitle(part, layout, known, evidence.title);
  const fields = fieldsOf({ ...layout, authors: split.authors }, part, split);
  const isUnderstood = Object.keys(fields).some((field) => field !== "title");
  return {
    fields,
    titleIsBareName: isMeaningless(place.name) || isMeaningless(split.title) || !isUnderstood,
  };
}

interface Layout {
  readonly authors: readonly string[];
  readonly series: string | null;
}

interface TitleSplit {
  readonly authors: readonly string[];
  readonly title: string;
  readonly subtitle: string | null;
  readonly series: readonly SeriesPosition[];
  readonly year: number | null;
}

/** Folders that sort a disk and name nobody. */
const storageFolders = new Set([
  ...["audiobook", "audiobooks", "audio books", "books", "download", "downloads", "complete", "completed"],
  ...["incoming", "inbox", "unsorted", "new", "misc", "unknown", "unknown author"],
]);

function readFolders(folders: readonly string[], known: ReadonlySet<string>): Layout {
  const names = folders.filter((name) => !storageFolders.has(foldText(name)));
  const confirmed = names.findLastIndex((name) => isKnown(splitPeople(name), known));
  const authorAt = confirmed === -1 ? Math.max(0, names.length - 2) : confirmed;
  const author = names[authorAt];
  const series = names.at(-1);
  if (author === undefined || series === undefined) return { authors: [], series: null };
  return { authors: splitPeople(author), series: authorAt === names.length - 1 ? null : series };
}

/** Gives each of the parts between ` - ` its meaning. */
function splitTitle(
  part: TitlePart,
  layout: Layout,
  known: ReadonlySet<string>,
  knownTitle: string | null,
): TitleSplit {
  const named = takeNamedAuthor(part.parts, layout.authors, known);
  const before = takeNumbers(named.parts, named.authors.length > 0 ? 1 : 2);
  const hasPrefix = before.year !== null || before.position !== null;
  const at = named.authors.length > 0 ? null : authorAt(before.parts, hasPrefix, knownTitle);
  const after = at === null ? before : takeNumbers(without(before.parts, at), 1);
  const position = after.position ?? before.position ?? part.position;
  const { series, titles } = takeSeries(after.parts, layout.series, position);
  return {
    authors: at === null ? named.authors : splitPeople(before.parts[at] ?? ""),
    title: titles[0] ?? "",
    subtitle: titles.length > 1 ? titles.slice(1).join(" - ") : null,
    series: uniqueSeries([...series, ...part.series]),
    year: part.year ?? after.year ?? before.year,
  };
}

/** The author whom a tag or a folder names, repeated in front of the title or behind it, is no part of it. */
function takeNamedAuthor(
  parts: readonly string[],
  authors: readonly string[],
  known: ReadonlySet<string>,
): { readonly authors: readonly string[]; readonly parts: readonly string[] } {
  const names = (keys: ReadonlySet<string>): number | undefined =>
    parts.length < 2
      ? undefined
      : [0, parts.length - 1].find((at) => isKnown(splitPeople(parts[at] ?? ""), keys));
  const byTags = names(known);
  if (byTags !== undefined)
    return { authors: splitPeople(parts[byTags] ?? ""), parts: without(parts, byTags) };
  const byFolder = names(new Set(authors.map(personKey)));
  return { authors, parts: byFolder === undefined ? parts : without(parts, byFolder) };
}

/**
 * `Author - Title` or `Title - Author`, where no folder and no tag tells: the author stands first, unless only
 * the last part looks like a person ("Dune - Frank Herbert"), or is it more surely (initials, several people).
 * Behind a year or a position, and behind `Series 02`, an author has to look like one.
 */
function authorAt(parts: readonly string[], hasPrefix: boolean, knownTitle: string | null): number | null {
  if (parts.length < 2) return null;
  const first = parts[0] ?? "";
  const end = parts.length - 1;
  const last = parts[end] ?? "";
  if (knownTitle !== null && foldText(knownTitle) === foldText(first)) return end;
  if (knownTitle !== null && foldText(knownTitle) === foldText(last)) return 0;
  const series = seriesPartOf(first);
  if (series !== null) return series.isSure || shareWord(first, last) || !isPeople(last) ? null : end;
  if (isPeople(last) && (!isPeople(first) || isSurelyPeople(last))) return isSurelyPeople(first) ? 0 : end;
  return hasPrefix && !isPeople(first) ? null : 0;
}

function isPeople(text: string): boolean {
  const people = splitPeople(text);
  return people.length > 0 && (looksLikePerson(text) || people.every(looksLikePerson));
}

function isSurelyPeople(text: string): boolean {
  return isPeople(text) && (hasInitials(text) || text.includes(",") || splitPeople(text).length > 1);
}

function shareWord(a: string, b: string): boolean {
  const words = new Set(foldText(a).split(" "));
  return foldText(b)
    .split(" ")
    .some((word) => word.length > 2 && words.has(word));
}

/** `Series 02 - Title`, `Series - 02 - Title`, and the series' folder repeated in front of the title. */
function takeSeries(
  parts: readonly string[],
  folder: string | null,
  position: string | null,
): { readonly series: readonly SeriesPosition[]; readonly titles: readonly string[] } {
  const [first = "", second = ""] = parts;
  const numbered = seriesPartOf(first);
  const isFolder = (name: string): boolean => folder !== null && foldText(name) === foldText(folder);
  const inFolder = (own: string | null): readonly SeriesPosition[] =>
    folder === null ? [] : [{ name: folder, position: position ?? own }];
  if (parts.length > 2 && positionOf(second) !== null) {
    return {
      series: [...inFolder(null), { name: first, position: positionOf(second) }],
      titles: parts.slice(2),
    };
  }
  if (parts.length > 1 && numbered !== null) {
    const { name, position: own } = numbered;
    return {
      series: [...inFolder(isFolder(name) ? own : null), { name, position: own }],
      titles: parts.slice(1),
    };
  }
  if (parts.length > 1 && isFolder(first)) return { series: inFolder(null), titles: parts.slice(1) };
  const last = parts.length > 1 && position === null ? markedPositionOf(parts.at(-1) ?? "") : null;
  if (folder !== null && last !== null) return { series: inFolder(last), titles: parts.slice(0, -1) };
  const own = numbered !== null && isFolder(numbered.name) ? numbered.position : positionOf(first);
  return { series: inFolder(own), titles: parts };
}

function fieldsOf(layout: Layout, part: TitlePart | null, split: TitleSplit | null): BookFields {
  const series = split?.series ?? (layout.series === null ? [] : [{ name: layout.series, position: null }]);
  return {
    ...(split === null || split.title === "" ? {} : { title: split.title }),
    ...(split?.subtitle ? { subtitle: split.subtitle } : {}),
    ...(layout.authors.length === 0 ? {} : { authors: layout.authors }),
    ...(series.length === 0 ? {} : { series }),
    ...(part?.narrators.length ? { narrators: part.narrators } : {}),
    ...(split?.year ? { year: split.year } : {}),
    ...(part?.asin ? { asin: part.asin } : {}),
    ...(part === null || part.abridged === null ? {} : { abridged: part.abridged }),
  };
}

/** Names that machines give: `track 01`, `Book 2`, `Unknown Album`, `bk_adbl_001234`, a hash. */
export function isMeaningless(name: string): boolean {
  return meaningless.some((pattern) => pattern.test(name.trim()));
}

const meaningless = [
  /^(?:(?:audio ?)?track|audio|chapter|part|book|vol(?:ume)?|cd|dis[ck]|file)[\s._#-]*\d{1,4}$/i,
  /^(?:audio ?book|untitled|unknown|unknown (?:album|title)|new folder)(?:[\s._#-]*\d{1,4})?$/i,
  /^\d{1,2}$|^0\d+$/,
  /^[a-z]{2,4}_[a-z]{2,6}_\w*\d{3}\w*$/i,
  /^(?=.*\d)[\da-f-]{12,}$/i,
];

function isKnown(people: readonly string[], known: ReadonlySet<string>): boolean {
  return people.some((person) => known.has(personKey(person)));
}

function without(parts: readonly string[], at: number): readonly string[] {
  return parts.filter((_, index) => index !== at);
}
