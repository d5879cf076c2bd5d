import {
  ByteVector,
  Genres,
  Id3v2CommentsFrame,
  type Id3v2Frame,
  type Id3v2FrameIdentifier,
  Id3v2FrameIdentifiers,
  type Id3v2Tag,
  Id3v2TextInformationFrame,
  Id3v2UnknownFrame,
  Id3v2UserTextInformationFrame,
} from "node-taglib-sharp";
import type { TagFields } from "./tags-fields.ts";
import { decodeId3Text, decodeId3Texts } from "./tags-id3-text.ts";

/** A chapter frame (CHAP) or a table of contents (CTOC) without its header. */
export interface Id3ChapterFrame {
  readonly id: "CHAP" | "CTOC";
  readonly body: Buffer;
}

const textFrames: Readonly<Record<string, string>> = {
  TIT1: "GROUPING",
  TIT2: "TITLE",
  TIT3: "SUBTITLE",
  TALB: "ALBUM",
  TPE1: "ARTIST",
  TPE2: "ALBUMARTIST",
  TCOM: "COMPOSER",
  TPOS: "DISCNUMBER",
  TRCK: "TRACKNUMBER",
  TDRC: "DATE",
  TYER: "YEAR",
  TDRL: "DATERELEASED",
  TDOR: "ORIGINALDATE",
  TPUB: "PUBLISHER",
  TLAN: "LANGUAGE",
  TCON: "GENRE",
};

/** Frames that node-taglib-sharp does not know, those of ID3v2.2 with three letters. */
const otherFrames: Readonly<Record<string, string>> = {
  MVNM: "MOVEMENTNAME",
  MVN: "MOVEMENTNAME",
  MVIN: "MOVEMENT",
  MVI: "MOVEMENT",
  GRP1: "GROUPING",
  GP1: "GROUPING",
  TDES: "LONGDESCRIPTION",
  TDS: "LONGDESCRIPTION",
};

/** Identifiers are compared by identity: the library has one object for each. */
const textFrameNames: ReadonlyMap<Id3v2FrameIdentifier, string> = new Map(
  Object.entries(textFrames).flatMap(([id, name]) => {
    const identifier = Id3v2FrameIdentifiers[id];
    return identifier === undefined ? [] : [[identifier, name] as const];
  }),
);

/** Puts what the frames say into the fields; the chapter frames are for somebody else to understand. */
export function readId3(tag: Id3v2Tag, fields: TagFields): readonly Id3ChapterFrame[] {
  const chapterFrames: Id3ChapterFrame[] = [];
  const comments: Id3v2CommentsFrame[] = [];
  for (const frame of tag.frames) {
    if (frame instanceof Id3v2UserTextInformationFrame) {
      for (const value of frame.text) fields.free(frame.description, value);
    } else if (frame instanceof Id3v2TextInformationFrame) readText(frame, tag.version, fields);
    else if (frame instanceof Id3v2CommentsFrame) comments.push(frame);
    else if (frame instanceof Id3v2UnknownFrame) {
      const id = frame.frameId.toString();
      if (id === "CHAP" || id === "CTOC") chapterFrames.push({ id, body: bufferOf(frame.data) });
      else readOther(id, frame, fields);
    }
  }
  readComments(comments, fields);
  return chapterFrames;
}

export function hasId3Picture(frames: readonly Id3v2Frame[]): boolean {
  return frames.some((frame) => frame.frameId === Id3v2FrameIdentifiers["APIC"] && frame.size > 16);
}

function readText(frame: Id3v2TextInformationFrame, version: number, fields: TagFields): void {
  const name = textFrameNames.get(frame.frameId);
  if (name !== undefined) {
    const values = version < 4 && listNames.has(name) ? oldValuesOf(frame) : frame.text;
    for (const value of values) fields.own(name, name === "GENRE" ? genreOf(value) : value);
    return;
  }
  const other = otherFrames[frame.frameId.toString()];
  if (other !== undefined) for (const value of frame.text) fields.own(other, value);
}

const listNames: ReadonlySet<string> = new Set(["ARTIST", "ALBUMARTIST", "COMPOSER", "GENRE"]);

/**
 * Taggers part several values by NUL in ID3v2.3 too, where the library cuts the text at the first one. It keeps
 * the bytes to itself until they are asked for; where it no longer does, its own reading has to do.
 */
function oldValuesOf(frame: Id3v2TextInformationFrame): readonly string[] {
  const bytes: unknown = Reflect.get(frame, "_rawData");
  const values = bytes instanceof ByteVector ? decodeId3Texts(bufferOf(bytes)) : [];
  return values.length > 1 ? values : frame.text;
}

/** `(101)` is a number of ID3v1, which the library knows as such before ID3v2.4 only. */
function genreOf(value: string): string {
  return /^\(\d{1,3}\)$/.test(value) ? (Genres.indexToAudio(value, true) ?? value) : value;
}

function readOther(id: string, frame: Id3v2UnknownFrame, fields: TagFields): void {
  const name = otherFrames[id];
  if (name !== undefined) fields.own(name, decodeId3Text(bufferOf(frame.data)));
}

/** The comment without a description is the user's; others hold iTunes' own data (`iTunNORM`) or a description. */
function readComments(comments: readonly Id3v2CommentsFrame[], fields: TagFields): void {
  for (const comment of comments) {
    if (comment.description === "") fields.own("COMMENT", comment.text);
    else if (!/^(iTun|ID3v1)/i.test(comment.description)) fields.free(comment.description, comment.text);
  }
}

function bufferOf(bytes: ByteVector): Buffer {
  const array = bytes.toByteArray();
  return Buffer.from(array.buffer, array.byteOffset, array.length);
}
