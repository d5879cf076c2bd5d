import type { BookFields } from "../domain/book.ts";
import { splitPeople } from "../domain/people.ts";
import { plainText } from "../domain/plain-text.ts";
import { normalizePosition, parseSeriesList } from "../domain/series.ts";
import { asinOf, flagOf, genresOf, isbnOf, yearOf } from "./draft-values.ts";
import { withoutNothing } from "./sidecar-fields.ts";
import { childOf, parseXml } from "./sidecar-xml.ts";

/**
 * What an nfo says: of the XML kind (`<audiobook><title>…`) or of the kind made of `Key: value` lines with a
 * description under its own heading. Throws as `parseXml` does for the first kind; text that holds no known key
 * says nothing.
 */
export function readNfo(text: string): BookFields {
  return fieldsOf(/^\s*<(?:\?xml|[a-z])/i.test(text) ? entriesOfXml(text) : entriesOfText(text));
}

type Entries = ReadonlyMap<string, readonly string[]>;

function fieldsOf(entries: Entries): BookFields {
  const all = (...keys: readonly string[]): readonly string[] =>
    keys.flatMap((key) => entries.get(key) ?? []);
  const first = (...keys: readonly string[]): string | null => all(...keys)[0] ?? null;
  const parsed = <T>(text: string | null, read: (text: string) => T): T | null =>
    text === null ? null : read(text);
  const position = parsed(first(...positionKeys), normalizePosition);
  const series = all("series", "seriesname", "set").flatMap(parseSeriesList);
  const [only] = series;
  const unabridged = parsed(first("unabridged"), flagOf);
  return withoutNothing({
    title: first("title", "booktitle", "booktitleunabridged"),
    subtitle: first("subtitle"),
    authors: splitPeople(
      firstOf(all, ["author", "authors", "writer", "writtenby"], ["albumartist"], ["artist"]),
    ),
    narrators: splitPeople(all("narrator", "narrators", "readby", "reader", "readers", "narratedby")),
    series:
      only !== undefined && series.length === 1 && position !== null
        ? [{ name: only.name, position }]
        : series,
    year: parsed(first("year", "copyright", "published", "publicationdate", "releasedate", "date"), yearOf),
    publisher: first("publisher", "label", "studio"),
    language: first("language"),
    description: parsed(
      first("description", "bookdescription", "plot", "summary", "synopsis", "review"),
      plainText,
    ),
    genres: genresOf(all("genre", "genres")),
    asin: parsed(first("asin"), asinOf),
    isbn: parsed(first("isbn"), isbnOf),
    explicit: parsed(first("explicit"), flagOf),
    abridged: parsed(first("abridged"), flagOf) ?? (unabridged === null ? null : !unabridged),
  });
}

const positionKeys = [
  "seriesposition",
  "positioninseries",
  "seriesindex",
  "seriespart",
  "booknumber",
  "volume",
];

function firstOf(
  all: (...keys: readonly string[]) => readonly string[],
  ...choices: readonly (readonly string[])[]
): readonly string[] {
  return choices.map((keys) => all(...keys)).find((values) => values.length > 0) ?? [];
}

function entriesOfXml(text: string): Entries {
  const root = parseXml(text);
  const entries = new Map<string, string[]>();
  for (const element of root.children) {
    const name = childOf(element, "name");
    const position = childOf(element, "position") ?? childOf(element, "index") ?? childOf(element, "number");
    add(entries, element.name, (name ?? element).text);
    if (name !== undefined && position !== undefined) add(entries, `${element.name}position`, position.text);
  }
  return entries;
}

/** `Key: value`, also with dots or a frame around (`| Title....: Dune |`). */
const keyAndValue = /^[^\p{L}\p{N}]*(\p{L}[\p{L} _-]{1,30}?)[\s.]*:\s*(.*?)[\s|║*]*$/u;
const underline = /^[^\p{L}\p{N}]*[=_*~-]{3,}[^\p{L}\p{N}]*$/u;
const descriptionHeading =
  /^[^\p{L}\p{N}]*(?:(?:book|publisher'?s?)\s+)?(?:description|summary|synopsis|plot)[^\p{L}\p{N}]*$/iu;

function entriesOfText(text: string): Entries {
  const entries = new Map<string, string[]>();
  const lines = text.split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (isLine(line, descriptionHeading)) {
      const end = endOfSection(lines, i + 1);
      add(
        entries,
        "description",
        lines
          .slice(i + 1, end)
          .filter((one) => !isLine(one, underline))
          .join("\n"),
      );
      i = end - 1;
      continue;
    }
    const [, key = "", value = ""] = keyLineOf(line) ?? [];
    const end = isDescription(key) ? endOfParagraph(lines, i + 1) : i + 1;
    add(entries, key, [value, ...lines.slice(i + 1, end)].join("\n"));
    i = end - 1;
  }
  return entries;
}

function keyLineOf(line: string): RegExpExecArray | null {
  return line.length > maxLineLength ? null : keyAndValue.exec(line);
}

function isDescription(key: string): boolean {
  return descriptionHeading.test(key);
}

/** A description goes on over the lines behind its key, to an empty one or the next key. */
function endOfParagraph(lines: readonly string[], from: number): number {
  for (let i = from; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.trim() === "" || keyLineOf(line) !== null) return i;
  }
  return lines.length;
}

/** A section ends where the next heading, a line above an underline, begins. */
function endOfSection(lines: readonly string[], from: number): number {
  for (let i = from + 1; i < lines.length; i++) {
    if (isLine(lines[i + 1] ?? "", underline) && (lines[i] ?? "").trim() !== "") return i;
  }
  return lines.length;
}

/** Longer lines are prose; the patterns need time by the square of a line's length. */
const maxLineLength = 1000;

function isLine(line: string, pattern: RegExp): boolean {
  return line.length <= maxLineLength && pattern.test(line);
}

function add(entries: Map<string, string[]>, key: string, value: string): void {
  const name = key.toLowerCase().replace(/[^a-z]/g, "");
  const text = value.trim();
  if (name === "" || text === "") return;
  const values = entries.get(name);
  if (values === undefined) entries.set(name, [text]);
  else values.push(text);
}
