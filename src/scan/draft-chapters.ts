import type { Chapter } from "../domain/book.ts";
import { stemOf } from "../domain/file-kinds.ts";
import { foldText } from "../domain/text.ts";
import type { OrderedTrack } from "./draft-order.ts";

export interface BookChapters {
  readonly chapters: readonly Chapter[];
  readonly from: "metadata_json" | "embedded" | "files";
}

/**
 * The chapters of a book: those of its `metadata.json`, else those in its tracks, each moved behind the tracks
 * before it, else one per file. A track without chapters among others that have some is one chapter.
 */
export function chaptersOf(tracks: readonly OrderedTrack[], fromSidecar: readonly Chapter[]): BookChapters {
  if (fromSidecar.length > 0) return { chapters: fromSidecar, from: "metadata_json" };
  const chapters: Chapter[] = [];
  const nameOf = chapterNames(tracks);
  const isEmbedded = tracks.some((track) => track.reading.chapters.length > 0);
  let seconds = 0;
  for (const track of tracks) {
    const startMs = Math.round(seconds * 1000);
    seconds += track.reading.durationSeconds;
    const endMs = Math.round(seconds * 1000);
    if (track.reading.chapters.length === 0) chapters.push({ title: nameOf(track), startMs, endMs });
    for (const chapter of track.reading.chapters) {
      chapters.push({
        title: chapter.title,
        startMs: startMs + chapter.startMs,
        endMs: startMs + chapter.endMs,
      });
    }
  }
  return { chapters, from: isEmbedded ? "embedded" : "files" };
}

/** A file's chapter is named by its title tag, or by its name where the tags have one title for all files. */
function chapterNames(tracks: readonly OrderedTrack[]): (track: OrderedTrack) => string {
  const titles = tracks
    .map((track) => foldText(track.reading.tags.title ?? ""))
    .filter((title) => title !== "");
  const isTold = titles.length === 1 || new Set(titles).size > 1;
  return (track) => {
    const title = track.reading.tags.title?.trim() ?? "";
    if (isTold && title !== "") return title;
    const stem = stemOf(track.file.name);
    return stem.replace(/^\d{1,4}(?:\s*[-._]\s*|\s+)(?=\S*\p{L})/u, "");
  };
}
