import path from "node:path";
import type { Book } from "../domain/book.ts";
import { sealOf } from "../domain/seal.ts";

/** What stands in our playlists so that they are known again: never by their names alone. */
const mark = "#TOMEKEEPER:";
/** The last line of ours: what somebody has changed since does not fit it any more. */
const sealMark = "#TOMEKEEPER-SEAL:";

export interface PlaylistContent {
  /** `book:<id>` or `series:<folded name>`. */
  readonly key: string;
  readonly title: string;
  readonly books: readonly Book[];
}

interface Places {
  /** Absolute path of a root. */
  readonly rootPath: (rootId: string) => string;
  /** The playlist's own folder, absolute, links in it resolved: paths in it are relative to that. */
  readonly folder: string;
}

/** A playlist of whole books in their order, extended M3U in UTF-8. */
export function playlistText({ key, title, books }: PlaylistContent, places: Places): string {
  const entries = books.flatMap((book) => entriesOf(book, places));
  const text = ["#EXTM3U", `${mark}${key}`, `#PLAYLIST:${oneLine(title)}`, ...entries, ""].join("\n");
  return `${text}${sealLine(text)}\n`;
}

/** The key of a playlist of ours, or of one that somebody made of ours; null for anybody else's. */
export function playlistKey(text: string): string | null {
  const line = text.split("\n", 5).find((each) => each.startsWith(mark));
  return line === undefined ? null : line.slice(mark.length).trim();
}

/** The last line of a playlist of ours, by which two of the same content are known; null where it is not as we wrote it. */
export function playlistSeal(text: string): string | null {
  const at = text.lastIndexOf(`\n${sealMark}`) + 1;
  const seal = text.slice(at, -1);
  return at > 0 && text.endsWith("\n") && seal === sealLine(text.slice(0, at)) ? seal : null;
}

/** Whether every file of the book can stand in a playlist: a line holds no line break. */
export function isListable({ tracks }: Pick<Book, "tracks">): boolean {
  return !tracks.some((track) => /[\r\n]/.test(track.path));
}

function entriesOf(book: Book, { rootPath, folder }: Places): readonly string[] {
  const [author] = book.authors;
  const title = author === undefined ? book.title : `${author} - ${book.title}`;
  return book.tracks.map((track, index) => {
    const part = track.title ?? `${index + 1} of ${book.tracks.length}`;
    const isWhole = book.tracks.length === 1 || part === book.title;
    const shown = oneLine(isWhole ? title : `${title}: ${part}`);
    const file = path.relative(folder, path.join(rootPath(book.rootId), track.path));
    return `#EXTINF:${Math.round(track.durationSeconds)},${shown}\n${pathLine(file)}`;
  });
}

/** A line that begins with `#` would be a comment. */
function pathLine(file: string): string {
  const portable = file.split(path.sep).join("/");
  return portable.startsWith("#") ? `./${portable}` : portable;
}

function sealLine(text: string): string {
  return `${sealMark}${sealOf(text)}`;
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, " ").trim();
}
