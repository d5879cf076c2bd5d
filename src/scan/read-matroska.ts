import type { RawChapter } from "./chapters-list.ts";
import { readMatroskaChapters } from "./chapters-matroska.ts";
import type { ByteSource } from "./chapters-mp4-boxes.ts";
import { type Element, elementsOf, readFloat, readText, readUnsigned } from "./read-ebml.ts";
import type { TagFields } from "./tags-fields.ts";

/** Matroska element ids (RFC 9559). */
const ids = {
  header: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  seek: 0x4dbb,
  seekId: 0x53ab,
  seekPosition: 0x53ac,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  title: 0x7ba9,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackType: 0x83,
  cluster: 0x1f43b675,
  chapters: 0x1043a770,
  tags: 0x1254c367,
  tag: 0x7373,
  targets: 0x63c0,
  targetTypeValue: 0x68ca,
  targetTrack: 0x63c5,
  simpleTag: 0x67c8,
  tagName: 0x45a3,
  tagText: 0x4487,
  attachments: 0x1941a469,
  attachedFile: 0x61a7,
  fileType: 0x4660,
  fileData: 0x465c,
} as const;

/** How many clusters are hopped over in a file that says nowhere what follows them. */
const maxClusters = 20_000;

/** `TargetTypeValue`: what a tag is about. */
const target = { track: 30, album: 50, edition: 60 } as const;

export interface MatroskaReading {
  readonly durationSeconds: number;
  readonly hasAudio: boolean;
  /** Where the first attached picture lies; null where there is none. */
  readonly picture: { readonly start: number; readonly end: number } | null;
  readonly chapters: readonly RawChapter[];
}

/**
 * Tags, chapters and duration of a Matroska or WebM file; null where it is none. Our own, because
 * node-taglib-sharp refuses every tag that leaves its target at the default, as ffmpeg does, and knows
 * neither chapters nor the segment's title.
 */
export function readMatroska(source: ByteSource, fields: TagFields): MatroskaReading | null {
  let segment: Element | null = null;
  for (const element of elementsOf(source, 0, source.sizeBytes)) {
    if (element.id === ids.segment) segment = element;
    if (segment !== null || element.id !== ids.header) break;
  }
  if (segment === null) return null;
  const parts = findParts(source, segment);
  const info = parts.get(ids.info);
  const chapters = parts.get(ids.chapters);
  const tags = parts.get(ids.tags);
  if (tags !== undefined) readTags(source, tags, fields);
  return {
    durationSeconds: info === undefined ? 0 : readInfo(source, info, fields),
    hasAudio: hasAudioTrack(source, parts.get(ids.tracks)),
    picture: pictureIn(source, parts.get(ids.attachments)),
    chapters: chapters === undefined ? [] : readMatroskaChapters(source, chapters),
  };
}

/** What comes before the sound, then what the seek head says to be after it. */
function findParts(source: ByteSource, segment: Element): ReadonlyMap<number, Element> {
  const parts = new Map<number, Element>();
  const places: number[] = [];
  let clusters = 0;
  for (const element of elementsOf(source, segment.start, segment.end)) {
    if (element.id === ids.seekHead) places.push(...readSeekHead(source, element, segment));
    else if (element.id !== ids.cluster) {
      if (!parts.has(element.id)) parts.set(element.id, element);
    } else if (places.length > 0 || ++clusters > maxClusters) break;
  }
  for (const place of places) {
    for (const element of elementsOf(source, place, segment.end)) {
      if (!parts.has(element.id)) parts.set(element.id, element);
      break;
    }
  }
  return parts;
}

function readSeekHead(source: ByteSource, seekHead: Element, segment: Element): readonly number[] {
  const places: number[] = [];
  for (const seek of elementsOf(source, seekHead.start, seekHead.end)) {
    let id = 0;
    let position: number | null = null;
    for (const part of elementsOf(source, seek.start, seek.end)) {
      if (part.id === ids.seekId) id = readUnsigned(source, part) ?? 0;
      else if (part.id === ids.seekPosition) position = readUnsigned(source, part);
    }
    const isWanted = id === ids.tags || id === ids.chapters || id === ids.attachments;
    if (isWanted && position !== null && places.length < 16) places.push(segment.start + position);
  }
  return places;
}

function readInfo(source: ByteSource, info: Element, fields: TagFields): number {
  let scaleNs = 1_000_000;
  let duration = 0;
  for (const part of elementsOf(source, info.start, info.end)) {
    if (part.id === ids.timestampScale) scaleNs = readUnsigned(source, part) ?? scaleNs;
    else if (part.id === ids.duration) duration = readFloat(source, part);
    else if (part.id === ids.title && fields.values("TITLE").length === 0) {
      fields.own("TITLE", readText(source, part));
    }
  }
  return (duration * scaleNs) / 1_000_000_000;
}

function hasAudioTrack(source: ByteSource, tracks: Element | undefined): boolean {
  if (tracks === undefined) return false;
  const audio = 2;
  for (const entry of elementsOf(source, tracks.start, tracks.end)) {
    if (entry.id !== ids.trackEntry) continue;
    for (const part of elementsOf(source, entry.start, entry.end)) {
      if (part.id === ids.trackType && readUnsigned(source, part) === audio) return true;
    }
  }
  return false;
}

function pictureIn(source: ByteSource, attachments: Element | undefined): Element | null {
  if (attachments === undefined) return null;
  for (const file of elementsOf(source, attachments.start, attachments.end)) {
    if (file.id !== ids.attachedFile) continue;
    const parts = [...elementsOf(source, file.start, file.end)];
    const isImage = parts.some(
      (part) => part.id === ids.fileType && readText(source, part).startsWith("image/"),
    );
    const data = parts.find(({ id }) => id === ids.fileData);
    if (isImage && data !== undefined) return data;
  }
  return null;
}

/** Tags about the file or its album; those of one stream inside it (its encoder, its duration) are left out. */
function readTags(source: ByteSource, tags: Element, fields: TagFields): void {
  const simple: { readonly level: number; readonly name: string; readonly value: string }[] = [];
  for (const tag of elementsOf(source, tags.start, tags.end)) {
    if (tag.id !== ids.tag || simple.length > 1000) continue;
    const level = readTarget(source, tag);
    if (level === null || level >= target.edition) continue;
    for (const part of elementsOf(source, tag.start, tag.end)) {
      if (part.id === ids.simpleTag) simple.push({ level, ...readSimpleTag(source, part) });
    }
  }
  const hasTrackTitle = simple.some(({ level, name }) => level <= target.track && name === "TITLE");
  for (const { level, name, value } of simple) {
    const isAlbumTitle = name === "TITLE" && level >= target.album && hasTrackTitle;
    fields.free(isAlbumTitle ? "ALBUM" : name, value);
  }
}

/** Null for a tag about one stream. */
function readTarget(source: ByteSource, tag: Element): number | null {
  for (const part of elementsOf(source, tag.start, tag.end)) {
    if (part.id !== ids.targets) continue;
    let level: number = target.album;
    for (const value of elementsOf(source, part.start, part.end)) {
      if (value.id === ids.targetTypeValue) level = readUnsigned(source, value) ?? level;
      else if (value.id === ids.targetTrack && readUnsigned(source, value) !== 0) return null;
    }
    return level;
  }
  return target.album;
}

function readSimpleTag(
  source: ByteSource,
  element: Element,
): { readonly name: string; readonly value: string } {
  let name = "";
  let value = "";
  for (const part of elementsOf(source, element.start, element.end)) {
    if (part.id === ids.tagName) name = readText(source, part);
    else if (part.id === ids.tagText) value = readText(source, part);
  }
  return { name, value };
}
