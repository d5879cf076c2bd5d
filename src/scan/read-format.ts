import {
  AacFile,
  ApeTag,
  AsfFile,
  ByteVector,
  FileAccessMode,
  FlacFile,
  Id3v1Tag,
  Id3v2Tag,
  InfoTag,
  Mpeg4File,
  MpegAudioFile,
  MpegAudioHeader,
  OggFile,
  ReadStyle,
  RiffFile,
  type SandwichFile,
  type File as TaggedFile,
  TagTypes,
  XiphComment,
} from "node-taglib-sharp";
import { readId3Chapters } from "./chapters-id3.ts";
import type { RawChapter } from "./chapters-list.ts";
import { readMp4Movie } from "./chapters-mp4.ts";
import { readXiphChapters } from "./chapters-xiph.ts";
import { hasPossibleFlacComment, hasPossibleOggComment } from "./read-comment-count.ts";
import { findAdts, findMpegAudio } from "./read-frames.ts";
import { type IffReading, readAiffChunks, readRf64Chunks } from "./read-iff.ts";
import { type AudioKind, id3TagBytes, kindOfBytes, kindOfName } from "./read-kind.ts";
import { readMatroska } from "./read-matroska.ts";
import { isOggFlac, readOggFlac } from "./read-ogg-flac.ts";
import type { FileWindow } from "./read-window.ts";
import { createTagFields, type TagFields } from "./tags-fields.ts";
import { hasId3Picture, readId3 } from "./tags-id3.ts";
import { readMp4 } from "./tags-mp4.ts";
import { readApe, readAsf, readInfo, readSimple, readXiph } from "./tags-other.ts";

/** What a file holds beside what went into the fields. */
export interface FormatReading {
  /** 0 where the file does not say. */
  readonly durationSeconds: number;
  readonly chapters: readonly RawChapter[];
  readonly hasPicture: boolean;
}

type ReadFormat = (window: FileWindow, fields: TagFields) => FormatReading | null;

/** Every format there is. Null: the file is of that kind by its first bytes, but there is no sound in it. */
const formats: Readonly<Record<AudioKind, ReadFormat>> = {
  mp4: readMpeg4,
  flac: readFlac,
  ogg: readOgg,
  matroska: readMatroskaSound,
  asf: readWindowsMedia,
  wav: readWave,
  rf64: (window, fields) => readIff(window, readRf64Chunks(window), fields),
  aiff: (window, fields) => readIff(window, readAiffChunks(window), fields),
  mpeg: readMpegAudio,
  adts: readAdts,
};

/** Reads the file as what its first bytes say it is; its name counts only where they say nothing. */
export function readFormat(window: FileWindow, fields: TagFields): FormatReading | null {
  const kind = kindOfFile(window);
  return kind === null ? null : formats[kind](window, fields);
}

export function kindOfFile(window: FileWindow): AudioKind | null {
  const head = window.head(16);
  const tagBytes = id3TagBytes(head);
  const start = tagBytes === 0 ? head : window.bytesAt(tagBytes, 16);
  return kindOfBytes(start) ?? kindOfName(window.name) ?? (tagBytes > 0 ? "mpeg" : null);
}

function readMpeg4(window: FileWindow, fields: TagFields): FormatReading | null {
  const movie = readMp4Movie(window);
  if (movie === null || !movie.hasAudio) return null;
  // Its first bytes say that it is there: the header of its data box.
  const dataHeaderBytes = 16;
  if (movie.picture !== null) window.hide(movie.picture.start + dataHeaderBytes, movie.picture.end);
  const file = new Mpeg4File(window, ReadStyle.None);
  const hasPicture = readMp4(file.tag, movie.keys, fields);
  return { durationSeconds: movie.durationMs / 1000, chapters: movie.chapters, hasPicture };
}

function readFlac(window: FileWindow, fields: TagFields): FormatReading | null {
  if (!hasPossibleFlacComment(window, id3TagBytes(window.head(16)))) return null;
  const file = new FlacFile(window, ReadStyle.Average | ReadStyle.PictureLazy);
  const comment = file.tag.xiphComment;
  if (comment !== undefined) readXiph(comment, fields);
  // A tag that does not belong into a FLAC file counts where its own says nothing.
  const hasOwn = comment !== undefined && comment.fieldNames.length > 0;
  const id3 = readId3Tags(file, hasOwn ? createTagFields() : fields);
  return {
    durationSeconds: file.properties.durationMilliseconds / 1000,
    chapters: firstOf(readXiphChapters(fields), id3.chapters),
    hasPicture: file.tag.pictures.length > 0 || id3.hasPicture,
  };
}

function readOgg(window: FileWindow, fields: TagFields): FormatReading | null {
  if (isOggFlac(window.head(64))) {
    const flac = readOggFlac(window);
    if (flac === null) return null;
    if (flac.comment !== null) readXiph(flac.comment, fields);
    return {
      durationSeconds: flac.durationSeconds,
      chapters: readXiphChapters(fields),
      hasPicture: (flac.comment?.pictures.length ?? 0) > 0,
    };
  }
  if (!hasPossibleOggComment(window)) return null;
  const file = new OggFile(window, ReadStyle.Average | ReadStyle.PictureLazy);
  const comment = file.getTag(TagTypes.Xiph);
  if (comment instanceof XiphComment) readXiph(comment, fields);
  return {
    durationSeconds: file.properties.durationMilliseconds / 1000,
    chapters: readXiphChapters(fields),
    hasPicture: (comment?.pictures.length ?? 0) > 0,
  };
}

function readMatroskaSound(window: FileWindow, fields: TagFields): FormatReading | null {
  const reading = readMatroska(window, fields);
  return reading?.hasAudio === true ? { ...reading, hasPicture: reading.picture !== null } : null;
}

function readWindowsMedia(window: FileWindow, fields: TagFields): FormatReading {
  const file = new AsfFile(window, ReadStyle.Average);
  const hasPicture = readAsf(file.tag, fields);
  return { durationSeconds: file.properties.durationMilliseconds / 1000, chapters: [], hasPicture };
}

function readWave(window: FileWindow, fields: TagFields): FormatReading {
  const file = new RiffFile(window, ReadStyle.Average);
  const id3 = readId3Tags(file, fields);
  const info = file.getTag(TagTypes.RiffInfo, false);
  if (!id3.isThere && info instanceof InfoTag) readInfo(info, fields);
  return { ...id3, durationSeconds: file.properties.durationMilliseconds / 1000 };
}

/** Longer tags are damaged: even one with a large picture is far below. */
export const maxId3Bytes = 64 * 1024 * 1024;

function readIff(window: FileWindow, iff: IffReading | null, fields: TagFields): FormatReading | null {
  if (iff === null) return null;
  const { durationSeconds, id3 } = iff;
  const bytes = id3 === null ? null : window.bytesAt(id3.start, Math.min(id3.sizeBytes, maxId3Bytes));
  const tag =
    bytes === null || id3TagBytes(bytes) === 0 ? null : Id3v2Tag.fromData(ByteVector.fromByteArray(bytes));
  return { ...readId3Tag(tag, fields), durationSeconds };
}

function readMpegAudio(window: FileWindow, fields: TagFields): FormatReading | null {
  const file = new MpegAudioFile(window, ReadStyle.None);
  const end = file.mediaEndPosition;
  const start = findMpegAudio(window, file.mediaStartPosition, end);
  if (start === null) return null;
  // The library closes the file after its tags, and does not seek in a closed one.
  file.mode = FileAccessMode.Read;
  const header = MpegAudioHeader.fromFile(file, start, start + 4, end - start);
  return { ...readSandwich(file, fields), durationSeconds: (header?.durationMilliseconds ?? 0) / 1000 };
}

function readAdts(window: FileWindow, fields: TagFields): FormatReading | null {
  const file = new AacFile(window, ReadStyle.None);
  const stream = findAdts(window, file.mediaStartPosition, file.mediaEndPosition);
  if (stream === null) return null;
  return { ...readSandwich(file, fields), durationSeconds: stream.durationSeconds };
}

interface Id3Reading {
  readonly isThere: boolean;
  readonly chapters: readonly RawChapter[];
  readonly hasPicture: boolean;
}

/** Tags before and after the sound. ID3v1 is cut to thirty letters: it counts where there is nothing else. */
function readSandwich(file: SandwichFile, fields: TagFields): Id3Reading {
  const id3 = readId3Tags(file, fields);
  const ape = file.getTag(TagTypes.Ape, false);
  if (ape instanceof ApeTag) readApe(ape, fields);
  const old = file.getTag(TagTypes.Id3v1, false);
  if (!id3.isThere && !(ape instanceof ApeTag) && old instanceof Id3v1Tag) readSimple(old, fields);
  return id3;
}

function readId3Tags(file: TaggedFile, fields: TagFields): Id3Reading {
  const tag = file.getTag(TagTypes.Id3v2, false);
  return readId3Tag(tag instanceof Id3v2Tag ? tag : null, fields);
}

function readId3Tag(tag: Id3v2Tag | null, fields: TagFields): Id3Reading {
  if (tag === null) return { isThere: false, chapters: [], hasPicture: false };
  const chapterFrames = readId3(tag, fields);
  return {
    isThere: tag.frames.length > 0,
    chapters: chapterFrames.length === 0 ? [] : readId3Chapters(chapterFrames, tag.version),
    hasPicture: hasId3Picture(tag.frames),
  };
}

function firstOf(a: readonly RawChapter[], b: readonly RawChapter[]): readonly RawChapter[] {
  return a.length > 0 ? a : b;
}
