import {
  AsfTag,
  ByteVector,
  File,
  Id3v2CommentsFrame,
  Id3v2FrameIdentifier,
  Id3v2FrameIdentifiers,
  Id3v2Tag,
  Id3v2TextInformationFrame,
  Id3v2UnknownFrame,
  Id3v2UserTextInformationFrame,
  Mpeg4AppleTag,
  Picture,
  StringType,
  TagTypes,
  XiphComment,
} from "node-taglib-sharp";
import type { TrackChapter } from "../../domain/scan.ts";
import { type AudioTags, nativeTags } from "./audio-tags.ts";
import { chapterFrames } from "./chapter-frames.ts";
import { MemoryFile } from "./memory-file.ts";

export interface TagContent {
  readonly tags: AudioTags;
  /** For ID3 and Vorbis comments; the other formats have their chapters outside the tag. */
  readonly chapters: readonly TrackChapter[];
  readonly picture: Buffer | null;
  readonly id3Version: 3 | 4;
}

/** The file with its tags. `name` gives the format by its extension: any that node-taglib-sharp can write. */
export function writeTags(name: string, bytes: Buffer, content: TagContent): Buffer {
  if (!name.endsWith(".wma")) return saved(name, bytes, content);
  // node-taglib-sharp writes an ASF header of another length over what follows it: so the room is made first.
  const growthBytes = asfHeaderBytes(saved(name, bytes, content)) - asfHeaderBytes(bytes);
  const header = bytes.subarray(0, asfHeaderBytes(bytes));
  const roomy = Buffer.concat([header, Buffer.alloc(growthBytes), bytes.subarray(header.length)]);
  return saved(name, roomy, content);
}

function asfHeaderBytes(bytes: Buffer): number {
  return Number(bytes.readBigUInt64LE(16));
}

function saved(name: string, bytes: Buffer, content: TagContent): Buffer {
  const memory = new MemoryFile(name, bytes);
  const file = File.createFromAbstraction(memory);
  const type = tagTypeOf(name);
  file.removeTags(TagTypes.AllTags & ~type);
  const tag = file.getTag(type, true);
  if (tag instanceof Id3v2Tag) writeId3(tag, content);
  else if (tag instanceof Mpeg4AppleTag) writeMp4(tag, content.tags);
  else if (tag instanceof XiphComment) writeXiph(tag, content);
  else if (tag instanceof AsfTag) writeAsf(tag, content.tags);
  if (content.picture !== null) {
    file.tag.pictures = [Picture.fromData(ByteVector.fromByteArray(content.picture))];
  }
  if (tag instanceof XiphComment) avoidWholeSegments(name, tag);
  file.save();
  file.dispose();
  return memory.bytes;
}

function tagTypeOf(name: string): TagTypes {
  if (name.endsWith(".mp4")) return TagTypes.Apple;
  if (name.endsWith(".wma")) return TagTypes.Asf;
  return /\.(flac|ogg|opus)$/.test(name) ? TagTypes.Xiph : TagTypes.Id3v2;
}

function writeId3(tag: Id3v2Tag, { tags, chapters, id3Version }: TagContent): void {
  tag.version = id3Version;
  for (const { name, values } of nativeTags(tags, "id3")) {
    if (name.startsWith("TXXX:")) {
      const frame = Id3v2UserTextInformationFrame.fromDescription(name.slice(5), StringType.UTF8);
      frame.text = [...values];
      tag.addFrame(frame);
    } else if (name === "COMM") {
      const frame = Id3v2CommentsFrame.fromDescription("", "eng", StringType.UTF8);
      frame.text = values.join("\n");
      tag.addFrame(frame);
    } else if (name.startsWith("T")) {
      addTextFrame(tag, name === "TDRC" && id3Version === 3 ? "TYER" : name, values);
    } else {
      const utf8 = 3;
      addUnknownFrame(tag, name, Buffer.concat([Buffer.from([utf8]), Buffer.from(values.join("/"))]));
    }
  }
  for (const { id, body } of chapterFrames(chapters, id3Version)) addUnknownFrame(tag, id, body);
}

function addTextFrame(tag: Id3v2Tag, id: string, values: readonly string[]): void {
  const identifier = Id3v2FrameIdentifiers[id] ?? new Id3v2FrameIdentifier(id, id, id.slice(0, 3));
  const frame = Id3v2TextInformationFrame.fromIdentifier(identifier, StringType.UTF8);
  frame.text = [...values];
  tag.addFrame(frame);
}

function addUnknownFrame(tag: Id3v2Tag, id: string, body: Buffer): void {
  const identifier = new Id3v2FrameIdentifier(id, id, id.slice(0, 3));
  tag.addFrame(Id3v2UnknownFrame.fromData(identifier, ByteVector.fromByteArray(body)));
}

function writeMp4(tag: Mpeg4AppleTag, tags: AudioTags): void {
  for (const { name, values } of nativeTags(tags, "mp4")) {
    const first = values[0] ?? "";
    if (name.startsWith("----:")) tag.setItunesStrings("com.apple.iTunes", name.slice(5), ...values);
    else if (name === "trkn" || name === "disk") {
      const [number, count] = first.split("/").map(Number);
      const pair = Buffer.alloc(8);
      pair.writeUInt16BE(number ?? 0, 2);
      pair.writeUInt16BE(count ?? 0, 4);
      tag.setQuickTimeData(atom(name), [ByteVector.fromByteArray(pair)]);
    } else if (name === "rtng" || name === "©mvi") {
      const signedInteger = 0x15;
      tag.setQuickTimeData(atom(name), [ByteVector.fromByte(Number(first))], signedInteger);
    } else tag.setQuickTimeStrings(atom(name), [...values]);
  }
}

function atom(name: string): ByteVector {
  return ByteVector.fromString(name, StringType.Latin1);
}

function writeXiph(comment: XiphComment, { tags, chapters }: TagContent): void {
  for (const { name, values } of nativeTags(tags, "xiph")) comment.setFieldAsStrings(name, ...values);
  for (const [i, chapter] of chapters.entries()) {
    const field = `CHAPTER${String(i + 1).padStart(3, "0")}`;
    comment.setFieldAsStrings(field, new Date(chapter.startMs).toISOString().slice(11, 23));
    comment.setFieldAsStrings(`${field}NAME`, chapter.title);
  }
}

/** node-taglib-sharp forgets the empty segment that must end an Ogg packet of a multiple of 255 bytes. */
function avoidWholeSegments(name: string, comment: XiphComment): void {
  const identifier = name.endsWith(".opus") ? "OpusTags" : "?vorbis";
  const packetBytes = identifier.length + comment.render(true).length;
  if (packetBytes % 255 === 0) comment.setFieldAsStrings("ENCODER", "tomekeeper");
}

function writeAsf(tag: AsfTag, tags: AudioTags): void {
  for (const { name, values } of nativeTags(tags, "asf")) {
    const text = values.join("; ");
    if (name === "Title") tag.title = text;
    else if (name === "Author") tag.performers = [...values];
    else if (name === "Description") tag.description = text;
    else tag.setDescriptorString(text, name);
  }
}
