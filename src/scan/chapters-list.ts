import type { TrackChapter } from "../domain/scan.ts";

/** A chapter as a format has it: the title may be empty, the end unknown. */
export interface RawChapter {
  readonly title: string;
  readonly startMs: number;
  readonly endMs: number | null;
}

/** More than any book has; what a damaged or hostile file can claim is bounded by it. */
export const maxChapters = 10_000;

const maxTitleLength = 1000;

/**
 * Chapters with an end and a title each, in the order given. An end that is missing or before its start is
 * the next chapter's start, the last one's the end of the file (0: not known).
 */
export function finishChapters(raw: readonly RawChapter[], durationMs: number): readonly TrackChapter[] {
  const chapters = raw.slice(0, maxChapters);
  return chapters.map((chapter, i) => {
    const startMs = Math.max(0, Math.round(chapter.startMs));
    const following = chapters[i + 1]?.startMs ?? durationMs;
    const end = chapter.endMs !== null && chapter.endMs > startMs ? chapter.endMs : following;
    const title = chapter.title.replaceAll("\0", "").trim().slice(0, maxTitleLength);
    return {
      title: title === "" ? `Chapter ${i + 1}` : title,
      startMs,
      endMs: Math.max(startMs, Math.round(end)),
    };
  });
}
