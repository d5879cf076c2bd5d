import path from "node:path";
import { describe, expect, it } from "vitest";
import type { TrackReading } from "../../src/domain/scan.ts";
import { createTrackReader } from "../../src/scan/read-track.ts";

const read = createTrackReader();

/** How the files were made stands beside them. */
function readingOf(name: string): TrackReading {
  const outcome = read(path.join(import.meta.dirname, "../fixtures/audio", name));
  if ("lost" in outcome || !outcome.ok) throw new Error(JSON.stringify(outcome));
  return outcome.reading;
}

describe("a file of another tool", () => {
  it.each(["m4b", "mp3", "mka"])("has its chapters to the millisecond: %s", (extension) => {
    const { chapters, tags } = readingOf(`ffmpeg-chapters.${extension}`);
    expect(chapters).toEqual([
      { title: "Öpening — “Prélude”", startMs: 0, endMs: 123 },
      { title: "第二章", startMs: 123, endMs: 321 },
      { title: "End; = # 3", startMs: 321, endMs: 499 },
    ]);
    expect(tags).toMatchObject({ album: "Chap Album", artists: ["Chap Author"] });
  });

  it("keeps the values that ID3v2.3 has behind a NUL", () => {
    expect(readingOf("mutagen-id3v23-nul.mp3").tags).toMatchObject({
      album: "Good Omens",
      title: "Face/Off",
      artists: ["Terry Pratchett", "Neil Gaiman"],
      composers: ["Ann Reader", "Bob Reader"],
      genres: ["Fantasy", "Speech"],
    });
  });

  it("has the name of a numbered genre in ID3v2.4 too", () => {
    expect(readingOf("mutagen-id3v24-genre.mp3").tags.genres).toEqual(["Speech", "Audiobook"]);
  });

  it("keeps all authors of Windows Media", () => {
    const { tags } = readingOf("mutagen-several-authors.wma");
    expect(tags).toMatchObject({ album: "Asf Album", artists: ["Aut One", "Aut Two"] });
  });

  it("of FLAC is described by its own comment, not by an ID3v2 tag in front of it", () => {
    const { tags } = readingOf("mutagen-flac-behind-id3.flac");
    expect(tags).toMatchObject({ album: "Native", artists: ["Native Author"] });
  });

  it("may be AIFF-C", () => {
    const { tags, durationSeconds } = readingOf("ffmpeg-aifc.aif");
    expect(tags).toMatchObject({ album: "Iff Album", artists: ["Iff Author"] });
    expect(durationSeconds).toBe(0.5);
  });

  it("may be RF64, the WAVE of more than 4 GiB", () => {
    expect(readingOf("ffmpeg-rf64.wav").durationSeconds).toBe(0.5);
  });
});
