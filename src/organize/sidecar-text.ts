import { XMLBuilder } from "fast-xml-parser";
import type { Book } from "../domain/book.ts";
import { sealSidecar } from "../domain/seal.ts";

type Described = Omit<Book, "layers" | "tracks" | "companions">;

/**
 * A book as Audiobookshelf writes it into `metadata.json`. Without `tags`, which are the player's own: an empty list
 * would take those away that somebody has given there.
 */
export function metadataJson(book: Described): string {
  const content = {
    ...(book.chapters.length === 0 ? {} : { chapters: book.chapters.map(chapterOf) }),
    title: book.title,
    subtitle: book.subtitle,
    authors: book.authors,
    narrators: book.narrators,
    series: book.series.map(({ name, position }) => (position === null ? name : `${name} #${position}`)),
    genres: book.genres,
    publishedYear: yearText(book),
    publishedDate: null,
    publisher: book.publisher,
    description: book.description,
    isbn: book.isbn,
    asin: book.asin,
    language: book.language,
    explicit: book.explicit,
    abridged: book.abridged,
  };
  return sealSidecar("json", JSON.stringify(content, null, 2).slice(0, -"\n}".length));
}

/** In seconds, as there. */
function chapterOf({ title, startMs, endMs }: Book["chapters"][number], id: number): object {
  return { id, start: startMs / 1000, end: endMs / 1000, title };
}

/** A book as an OPF 2 package, in the form that Calibre writes and Audiobookshelf reads. */
export function opf(book: Described): string {
  const identifiers = [
    { "#text": `urn:tomekeeper:${book.id}`, "@id": "tomekeeper" },
    ...(book.isbn === null ? [] : [{ "#text": book.isbn, "@opf:scheme": "ISBN" }]),
    ...(book.asin === null ? [] : [{ "#text": book.asin, "@opf:scheme": "ASIN" }]),
  ];
  const metadata = {
    "@xmlns:dc": "http://purl.org/dc/elements/1.1/",
    "@xmlns:opf": "http://www.idpf.org/2007/opf",
    "dc:title": book.title,
    "dc:subtitle": some(book.subtitle),
    "dc:creator": [...book.authors.map(inRole("aut")), ...book.narrators.map(inRole("nrt"))],
    "dc:publisher": some(book.publisher),
    "dc:date": some(yearText(book)),
    "dc:language": some(book.language),
    "dc:description": some(book.description),
    "dc:subject": book.genres,
    "dc:identifier": identifiers,
    meta: book.series.flatMap(({ name, position }) => [
      { "@name": "calibre:series", "@content": name },
      ...(position === null ? [] : [{ "@name": "calibre:series_index", "@content": position }]),
    ]),
  };
  const root = {
    "@xmlns": "http://www.idpf.org/2007/opf",
    "@unique-identifier": "tomekeeper",
    "@version": "2.0",
    metadata,
  };
  const xml: unknown = builder.build(printable({ package: root }));
  return sealSidecar("opf", `<?xml version="1.0" encoding="utf-8"?>\n${String(xml)}`);
}

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  format: true,
  suppressEmptyNode: true,
});

function inRole(role: "aut" | "nrt") {
  return (name: string) => ({ "#text": name, "@opf:role": role });
}

/** An element that is not there, where there is nothing to say. */
function some(text: string | null): string | undefined {
  return text ?? undefined;
}

function yearText({ year }: Pick<Book, "year">): string | null {
  return year === null ? null : String(year).padStart(4, "0");
}

/** Without the characters that XML has no place for, escaped or not. */
function printable<T>(value: T): T {
  const clean = (text: string): string =>
    text.toWellFormed().replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "");
  return JSON.parse(
    JSON.stringify(value, (_key, each: unknown) => (typeof each === "string" ? clean(each) : each)),
  );
}
