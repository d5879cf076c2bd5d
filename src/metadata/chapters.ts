import type { Book, Chapter, MatchLayer } from "../domain/book.ts";
import { AppError } from "../errors.ts";
import type { SourceChapters } from "../plugin.ts";
import type { SourceClient } from "./client.ts";

/** Another recording, or one with other pauses, is longer or shorter by more; a conversion is not. */
const sameRecordingMs = 5_000;

/**
 * The layer with chapters of a source that was taken for the book, where the book has none but its files and the source
 * knows more of them, in a recording of the same length. Where the source gives no answer, those that it gave before stay.
 */
export async function withChapters(
  book: Book,
  layer: MatchLayer,
  clients: readonly SourceClient[],
): Promise<MatchLayer> {
  const { chapters: _chapters, sources, ...rest } = layer;
  const { chapters: _source, ...names } = sources ?? {};
  const plain: MatchLayer = { ...rest, sources: names };
  if (!hasNoneOfItsOwn(book)) return plain;
  for (const client of clients) {
    const { name } = client.source;
    const taken = layer.taken?.find(({ source }) => source === name);
    if (taken === undefined || client.source.chapters === undefined) continue;
    const said = await client.chapters(taken.id).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      return undefined;
    });
    const chapters = said === undefined ? keptOf(book, name, taken.id) : usable(said, book);
    if (chapters === null) continue;
    return { ...plain, chapters, sources: { ...names, chapters: name } };
  }
  return plain;
}

/** One per file is what is said of a book that says nothing. */
function hasNoneOfItsOwn({ provenance, layers }: Book): boolean {
  const from = provenance.chapters;
  return from === "files" || (from !== undefined && from === layers.match?.sources?.chapters);
}

function keptOf({ layers: { match } }: Book, source: string, id: string): readonly Chapter[] | null {
  const isOfIt = match?.sources?.chapters === source && match.taken?.some((each) => each.id === id);
  return isOfIt === true ? (match.chapters ?? null) : null;
}

function usable(said: SourceChapters | null, { tracks, durationSeconds }: Book): readonly Chapter[] | null {
  if (said === null || said.chapters.length <= tracks.length) return null;
  const isSame = Math.abs(said.durationMs - durationSeconds * 1000) <= sameRecordingMs;
  return isSame ? said.chapters : null;
}
