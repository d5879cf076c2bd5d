import type { TrackChapter } from "../../domain/scan.ts";

/** A frame's identifier and its body, without the header. */
export interface ChapterFrame {
  readonly id: "CHAP" | "CTOC";
  readonly body: Buffer;
}

/** ID3v2 chapters (ID3v2 Chapter Frame Addendum 1.0): one CHAP each, and a table of contents for up to 255. */
export function chapterFrames(chapters: readonly TrackChapter[], id3Version: 3 | 4): readonly ChapterFrame[] {
  const ids = chapters.map((_, i) => `ch${i}`);
  const frames = chapters.map((chapter, i) => chapterFrame(ids[i] ?? "", chapter, id3Version));
  if (ids.length === 0 || ids.length > 255) return frames;
  const topLevelAndOrdered = 3;
  const contents = Buffer.concat([
    Buffer.from("toc\0"),
    Buffer.from([topLevelAndOrdered, ids.length]),
    ...ids.map((id) => Buffer.from(`${id}\0`)),
  ]);
  return [{ id: "CTOC", body: contents }, ...frames];
}

function chapterFrame(id: string, chapter: TrackChapter, id3Version: 3 | 4): ChapterFrame {
  const times = Buffer.alloc(16, 0xff);
  times.writeUInt32BE(chapter.startMs, 0);
  times.writeUInt32BE(chapter.endMs, 4);
  const utf16 = 1;
  const text = Buffer.concat([Buffer.from([utf16, 0xff, 0xfe]), Buffer.from(chapter.title, "utf16le")]);
  const header = Buffer.alloc(10);
  header.write("TIT2", 0, "latin1");
  header.writeUInt32BE(id3Version === 4 ? syncSafe(text.length) : text.length, 4);
  return { id: "CHAP", body: Buffer.concat([Buffer.from(`${id}\0`), times, header, text]) };
}

function syncSafe(value: number): number {
  return (value & 0x7f) | ((value & 0x3f80) << 1) | ((value & 0x1fc000) << 2) | ((value & 0xfe00000) << 3);
}
