import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { ByteVector } from "node-taglib-sharp";
import { makeAudioBytes } from "../src/demo/audio/make-audio.ts";

/** Raise it when what is made changes: a library of an earlier version is not used again. */
const version = 1;

const tracksPerBook = 5;
const booksPerAuthor = 5;
/** What people have: mostly MP3, then M4B. A book is of one format. */
const formats = ["mp3", "mp3", "m4b", "mp3", "m4b", "flac", "mp3", "m4b", "ogg", "opus"] as const;

type Format = (typeof formats)[number];

export interface BenchLibrary {
  /** Absolute. */
  readonly path: string;
  readonly fileCount: number;
  readonly bookCount: number;
  readonly folderCount: number;
}

/**
 * A library of `fileCount` small, valid files with tags of their own: five to a book, five books to an author,
 * half of the authors with a series folder between. Made below `dir` once, and found there by later runs.
 */
export async function makeBenchLibrary(dir: string, fileCount: number): Promise<BenchLibrary> {
  const bookCount = Math.ceil(fileCount / tracksPerBook);
  const libraryPath = path.join(dir, `library-${fileCount}-v${version}`);
  const authors = Math.ceil(bookCount / booksPerAuthor);
  const library = {
    path: libraryPath,
    fileCount,
    bookCount,
    folderCount: bookCount + authors + Math.ceil(authors / 2),
  };
  if (existsSync(libraryPath)) return library;
  const unfinishedPath = `${libraryPath}.unfinished`;
  rmSync(unfinishedPath, { recursive: true, force: true });
  mkdirSync(unfinishedPath, { recursive: true });
  const templates = await makeTemplates();
  const inFlight = 32;
  for (let from = 0; from < bookCount; from += inFlight) {
    const books = Array.from({ length: Math.min(inFlight, bookCount - from) }, (_, i) => from + i);
    await Promise.all(books.map((book) => writeBook(unfinishedPath, book, fileCount, templates)));
  }
  renameSync(unfinishedPath, libraryPath);
  return library;
}

async function writeBook(root: string, book: number, fileCount: number, templates: Templates): Promise<void> {
  const author = Math.floor(book / booksPerAuthor);
  const names = namesOf(book, author);
  const series = author % 2 === 0 ? [names.series] : [];
  const folder = path.join(root, names.author, ...series, names.album);
  await mkdir(folder, { recursive: true });
  const format = formats[book % formats.length] ?? "mp3";
  for (let track = 0; track < tracksPerBook && book * tracksPerBook + track < fileCount; track++) {
    const file = path.join(folder, `${String(track + 1).padStart(2, "0")}.${format}`);
    await writeFile(file, templates(format, track).fill(names));
  }
}

/** Fixed lengths: they are written over each other. */
interface Names {
  readonly author: string;
  readonly album: string;
  readonly series: string;
  readonly narrator: string;
  /** Read without its leading zeros. */
  readonly position: string;
}

function namesOf(book: number, author: number): Names {
  return {
    author: `Author ${String(author).padStart(7, "0")}`,
    album: `Book ${String(book).padStart(7, "0")}`,
    series: `Series ${String(author).padStart(7, "0")}`,
    narrator: `Reader ${String(author % 97).padStart(7, "0")}`,
    position: String((book % booksPerAuthor) + 1).padStart(7, "0"),
  };
}

/** Texts that a template holds nowhere else. */
const placeholders: Names = {
  author: "Author 9999999",
  album: "Book 9999999",
  series: "Series 9999999",
  narrator: "Reader 9999999",
  position: "8888888",
};

interface Template {
  readonly fill: (names: Names) => Buffer;
}

type Templates = (format: Format, track: number) => Template;

async function makeTemplates(): Promise<Templates> {
  const made = new Map<string, Template>();
  for (const format of new Set(formats)) {
    for (let track = 0; track < tracksPerBook; track++) {
      const bytes = await makeAudioBytes(format, {
        tags: {
          title: `Chapter ${track + 1}`,
          track: `${track + 1}/${tracksPerBook}`,
          album: placeholders.album,
          artist: placeholders.author,
          narrator: placeholders.narrator,
          series: placeholders.series,
          seriesPart: placeholders.position,
          year: 1999,
        },
        durationSeconds: 1 + track / 10,
      });
      made.set(`${format} ${track}`, createTemplate(bytes, format));
    }
  }
  return (format, track) => {
    const template = made.get(`${format} ${track}`);
    if (template === undefined) throw new Error(`no template for track ${track} of ${format}`);
    return template;
  };
}

function createTemplate(bytes: Buffer, format: Format): Template {
  const keys = ["author", "album", "series", "narrator", "position"] as const;
  const places = keys.flatMap((key) => placesOf(bytes, placeholders[key]).map((at) => ({ at, key })));
  const isOgg = format === "ogg" || format === "opus";
  return {
    fill: (names) => {
      const filled = Buffer.from(bytes);
      for (const { at, key } of places) filled.write(names[key], at);
      if (isOgg) renewOggChecksums(filled);
      return filled;
    },
  };
}

function placesOf(bytes: Buffer, placeholder: string): readonly number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(placeholder); at !== -1; at = bytes.indexOf(placeholder, at + 1))
    places.push(at);
  if (places.length === 0) throw new Error(`the template does not hold "${placeholder}" as plain text`);
  return places;
}

/** Ogg is the only one of the formats whose tags are under a checksum, a page at a time. */
function renewOggChecksums(bytes: Buffer): void {
  const checksumAt = 22;
  const segmentCountAt = 26;
  for (let at = 0; at + segmentCountAt < bytes.length; ) {
    const segments = bytes.readUInt8(at + segmentCountAt);
    const table = bytes.subarray(at + segmentCountAt + 1, at + segmentCountAt + 1 + segments);
    const sizeBytes = segmentCountAt + 1 + segments + table.reduce((sum, length) => sum + length, 0);
    const page = bytes.subarray(at, at + sizeBytes);
    page.writeUInt32LE(0, checksumAt);
    page.writeUInt32LE(ByteVector.fromByteArray(page).checksum, checksumAt);
    at += sizeBytes;
  }
}
