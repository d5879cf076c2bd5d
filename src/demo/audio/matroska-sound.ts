import type { TrackChapter } from "../../domain/scan.ts";
import { type AudioTags, nativeTags } from "./audio-tags.ts";

const ids = {
  segment: 0x18538067,
  info: 0x1549a966,
  tracks: 0x1654ae6b,
  cluster: 0x1f43b675,
  tags: 0x1254c367,
  tag: 0x7373,
  targets: 0x63c0,
  targetTypeValue: 0x68ca,
  simpleTag: 0x67c8,
  tagName: 0x45a3,
  tagString: 0x4487,
  chapters: 0x1043a770,
  edition: 0x45b9,
  chapter: 0xb6,
  chapterUid: 0x73c4,
  chapterStart: 0x91,
  chapterEnd: 0x92,
  chapterDisplay: 0x80,
  chapterText: 0x85,
  chapterLanguage: 0x437c,
  attachments: 0x1941a469,
  attachedFile: 0x61a7,
  fileName: 0x466e,
  fileType: 0x4660,
  fileData: 0x465c,
  fileUid: 0x46ae,
} as const;

/**
 * A Matroska or WebM file with the template's sound, these tags, chapters and picture, and the duration told
 * in its header. node-taglib-sharp cannot write Matroska.
 */
export function makeMatroska(
  template: Buffer,
  content: {
    readonly tags: AudioTags;
    readonly chapters: readonly TrackChapter[];
    readonly picture: Buffer | null;
    readonly durationSeconds: number | null;
  },
): Buffer {
  const segmentAt = template.indexOf(idBytes(ids.segment));
  const parts = topElements(template.subarray(segmentAt + 12));
  const info = Buffer.from(parts.get(ids.info) ?? "");
  // ffmpeg writes the duration as eight bytes, last of its element.
  if (content.durationSeconds !== null) info.writeDoubleBE(content.durationSeconds * 1000, info.length - 8);
  const segment = element(
    ids.segment,
    info,
    parts.get(ids.tracks) ?? Buffer.alloc(0),
    content.chapters.length > 0 ? chaptersElement(content.chapters) : Buffer.alloc(0),
    content.picture === null ? Buffer.alloc(0) : attachmentElement(content.picture),
    tagsElement(content.tags),
    parts.get(ids.cluster) ?? Buffer.alloc(0),
  );
  return Buffer.concat([template.subarray(0, segmentAt), segment]);
}

/** The segment's elements by their id, whole. Positions told elsewhere (SeekHead, Cues) are not taken along. */
function topElements(segment: Buffer): ReadonlyMap<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = 0;
  while (at < segment.length) {
    const idLength = Math.clz32(segment.readUInt8(at)) - 23;
    const sizeLength = Math.clz32(segment.readUInt8(at + idLength)) - 23;
    const size = Number(BigInt.asUintN(7 * sizeLength, bigInteger(segment, at + idLength, sizeLength)));
    const end = at + idLength + sizeLength + size;
    found.set(segment.readUIntBE(at, idLength), segment.subarray(at, end));
    at = end;
  }
  return found;
}

function bigInteger(bytes: Buffer, at: number, length: number): bigint {
  return BigInt(`0x${bytes.toString("hex", at, at + length)}`);
}

function tagsElement(tags: AudioTags): Buffer {
  const simpleTags = nativeTags(tags, "matroska").flatMap(({ name, values }) =>
    values.map((value) =>
      element(ids.simpleTag, element(ids.tagName, text(name)), element(ids.tagString, text(value))),
    ),
  );
  const album = element(ids.targets, element(ids.targetTypeValue, Buffer.from([50])));
  return element(ids.tags, element(ids.tag, album, ...simpleTags));
}

function chaptersElement(chapters: readonly TrackChapter[]): Buffer {
  const atoms = chapters.map((chapter, i) =>
    element(
      ids.chapter,
      element(ids.chapterUid, unsigned(i + 1)),
      element(ids.chapterStart, unsigned(chapter.startMs * 1_000_000)),
      element(ids.chapterEnd, unsigned(chapter.endMs * 1_000_000)),
      element(
        ids.chapterDisplay,
        element(ids.chapterText, text(chapter.title)),
        element(ids.chapterLanguage, text("eng")),
      ),
    ),
  );
  return element(ids.chapters, element(ids.edition, ...atoms));
}

function attachmentElement(picture: Buffer): Buffer {
  return element(
    ids.attachments,
    element(
      ids.attachedFile,
      element(ids.fileName, text("cover.jpg")),
      element(ids.fileType, text("image/jpeg")),
      element(ids.fileUid, unsigned(1)),
      element(ids.fileData, picture),
    ),
  );
}

function element(id: number, ...content: readonly Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length | 0x10000000);
  return Buffer.concat([idBytes(id), size, body]);
}

function idBytes(id: number): Buffer {
  const hex = id.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function unsigned(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.from(value, "utf8");
}
