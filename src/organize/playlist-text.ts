import path from "node:path";
import type { Book } from "../domain/book.ts";

/** What stands in our playlists so that they are known again: never by their names alone. */
const mark = "#TOMEKEEPER:";

/** A playlist of whole books in their order, extended M3U in UTF-8; paths relative to `folder`. */
export function playlistText(
  key: string,
  title: string,
  books: readonly Book[],
  rootPath: (rootId: string) => string,
  folder: string,
): string {
  const tracks = books.flatMap((book) =>
    book.tracks.map((track, index) => {
      const name = track.title ?? (book.tracks.length > 1 ? `${book.title} ${index + 1}` : book.title);
      const [author] = book.authors;
      const shown = oneLine(author === undefined ? name : `${author} - ${name}`);
      const file = path.relative(folder, path.join(rootPath(book.rootId), track.path));
      return `#EXTINF:${Math.round(track.durationSeconds)},${shown}\n${file}`;
    }),
  );
  return ["#EXTM3U", `${mark}${key}`, `#PLAYLIST:${oneLine(title)}`, ...tracks, ""].join("\n");
}

/** The key of a playlist of ours; null for anybody else's. */
export function playlistKey(text: string): string | null {
  const line = text.split("\n", 5).find((each) => each.startsWith(mark));
  return line === undefined ? null : line.slice(mark.length).trim();
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
