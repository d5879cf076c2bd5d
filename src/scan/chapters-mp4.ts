import { maxChapters, type RawChapter } from "./chapters-list.ts";
import {
  type Box,
  type ByteSource,
  boxesOf,
  findBox,
  readTiming,
  type Timing,
} from "./chapters-mp4-boxes.ts";
import { readTextTrack } from "./chapters-mp4-track.ts";

/** What the movie box says about time. */
export interface Mp4Movie {
  /** 0 where it is not known. */
  readonly durationMs: number;
  readonly hasAudio: boolean;
  /** From the chapter track that an audio track refers to, else from Nero's `chpl` box. */
  readonly chapters: readonly RawChapter[];
  /** The iTunes tag's picture, if any. */
  readonly picture: Box | null;
  /** Names of the tag's items where it numbers them, as `ffmpeg -movflags use_metadata_tags` writes it. */
  readonly keys: readonly string[];
}

/** One track, as far as it tells which one holds the chapters. */
interface TrackHead {
  readonly box: Box;
  readonly id: number;
  readonly handler: string;
  readonly chapterTracks: readonly number[];
}

/** Reads the few boxes that it takes and hops over the others. Null where there is no movie box. */
export function readMp4Movie(source: ByteSource): Mp4Movie | null {
  const file: Box = { type: "file", start: 0, end: source.sizeBytes };
  const movie = findBox(source, file, "moov");
  if (movie === null) return null;
  const tracks: TrackHead[] = [];
  let header: Timing = { timescale: 0, duration: 0 };
  let userData: Box | null = null;
  for (const box of boxesOf(source, movie.start, movie.end)) {
    if (box.type === "mvhd") header = readTiming(source, box);
    else if (box.type === "trak" && tracks.length < 64) tracks.push(readTrackHead(source, box));
    else if (box.type === "udta") userData ??= box;
  }
  const tag = findTag(source, userData);
  const audio = tracks.filter((track) => track.handler === "soun");
  const chapterTrack = chapterTrackOf(audio, tracks);
  const fromTrack = chapterTrack === null ? [] : readTextTrack(source, chapterTrack.box, header.timescale);
  return {
    durationMs: milliseconds(header) || longest(source, audio),
    hasAudio: audio.length > 0,
    picture: findBox(source, findBox(source, tag, "ilst"), "covr"),
    keys: readKeys(source, findBox(source, tag, "keys")),
    chapters: fromTrack.length > 0 ? fromTrack : readNeroChapters(source, findBox(source, userData, "chpl")),
  };
}

function milliseconds({ timescale, duration }: Timing): number {
  return timescale === 0 ? 0 : (duration * 1000) / timescale;
}

/** For files whose movie header leaves the duration to its tracks. */
function longest(source: ByteSource, tracks: readonly TrackHead[]): number {
  const durations = tracks.map((track) => {
    const header = findBox(source, findBox(source, track.box, "mdia"), "mdhd");
    return header === null ? 0 : milliseconds(readTiming(source, header));
  });
  return Math.max(0, ...durations);
}

function readTrackHead(source: ByteSource, box: Box): TrackHead {
  let id = 0;
  let handler = "";
  let chapterTracks: readonly number[] = [];
  for (const child of boxesOf(source, box.start, box.end)) {
    if (child.type === "tkhd") {
      const bytes = source.bytesAt(child.start, 24);
      const idAt = bytes[0] === 1 ? 20 : 12;
      id = bytes.length >= idAt + 4 ? bytes.readUInt32BE(idAt) : 0;
    } else if (child.type === "tref") {
      chapterTracks = readReferences(source, findBox(source, child, "chap"));
    } else if (child.type === "mdia") {
      const handlerBox = findBox(source, child, "hdlr");
      if (handlerBox !== null) handler = source.bytesAt(handlerBox.start, 12).toString("latin1", 8, 12);
    }
  }
  return { box, id, handler, chapterTracks };
}

function readReferences(source: ByteSource, box: Box | null): readonly number[] {
  if (box === null) return [];
  const bytes = source.bytesAt(box.start, Math.min(box.end - box.start, 64));
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readUInt32BE(i * 4));
}

/** A chapter reference may also name a track of pictures. */
function chapterTrackOf(audio: readonly TrackHead[], tracks: readonly TrackHead[]): TrackHead | null {
  const referred = audio.flatMap((track) => track.chapterTracks);
  const isText = (track: TrackHead): boolean => /^(text|sbtl|subt)$/.test(track.handler);
  return tracks.find((track) => referred.includes(track.id) && isText(track)) ?? null;
}

/** The content of the tag's `meta` box, which begins with version and flags. */
function findTag(source: ByteSource, userData: Box | null): Box | null {
  const tag = findBox(source, userData, "meta");
  return tag === null ? null : { ...tag, start: tag.start + 4 };
}

/** QuickTime metadata keys: a size, a name space and a name each. */
function readKeys(source: ByteSource, box: Box | null): readonly string[] {
  if (box === null) return [];
  const bytes = source.bytesAt(box.start, Math.min(box.end - box.start, 64 * 1024));
  const keys: string[] = [];
  for (let at = 8; at + 8 < bytes.length; ) {
    const sizeBytes = bytes.readUInt32BE(at);
    if (sizeBytes < 8) break;
    keys.push(bytes.toString("utf8", at + 8, at + sizeBytes).replace(/^com\.apple\.quicktime\./, ""));
    at += sizeBytes;
  }
  return keys;
}

/**
 * Nero's list: times in units of 100 ns, titles of at most 255 bytes. Written by ffmpeg and mp4v2 with a
 * reserved byte and a 32-bit count; version 0 has a count of one byte.
 */
function readNeroChapters(source: ByteSource, box: Box | null): readonly RawChapter[] {
  if (box === null) return [];
  const bytes = source.bytesAt(box.start, Math.min(box.end - box.start, 1024 * 1024));
  const isLong = bytes[0] !== 0;
  if (bytes.length < (isLong ? 9 : 5)) return [];
  const count = Math.min(isLong ? bytes.readUInt32BE(5) : bytes.readUInt8(4), maxChapters);
  const chapters: RawChapter[] = [];
  let at = isLong ? 9 : 5;
  while (chapters.length < count && at + 9 <= bytes.length) {
    const units = bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
    const titleEnd = at + 9 + bytes.readUInt8(at + 8);
    chapters.push({ title: bytes.toString("utf8", at + 9, titleEnd), startMs: units / 10_000, endMs: null });
    at = titleEnd;
  }
  return chapters.sort((a, b) => a.startMs - b.startMs);
}
