import { maxChapters, type RawChapter } from "./chapters-list.ts";
import type { Id3ChapterFrame } from "./tags-id3.ts";
import { decodeId3Text } from "./tags-id3-text.ts";

interface Contents {
  readonly id: string;
  readonly isTopLevel: boolean;
  readonly children: readonly string[];
}

const unknownTime = 0xffffffff;

/**
 * The chapters of CHAP frames (ID3v2 Chapter Frame Addendum 1.0), in the order of the table of contents
 * where it names them all, else by their start. `version` is that of the tag: 3 or 4.
 */
export function readId3Chapters(frames: readonly Id3ChapterFrame[], version: number): readonly RawChapter[] {
  const chapters = new Map<string, RawChapter>();
  const tables = new Map<string, Contents>();
  for (const { id, body } of frames) {
    const idEnd = body.indexOf(0);
    if (idEnd === -1 || chapters.size >= maxChapters) continue;
    const elementId = body.toString("latin1", 0, idEnd);
    const content = body.subarray(idEnd + 1);
    if (id === "CTOC") tables.set(elementId, readContents(elementId, content));
    else if (content.length >= 16) chapters.set(elementId, readChapter(content, version));
  }
  const order = orderOf(tables);
  const listed = order.map((id) => chapters.get(id)).filter((chapter) => chapter !== undefined);
  if (listed.length === chapters.size) return listed;
  return [...chapters.values()].sort((a, b) => a.startMs - b.startMs);
}

function readChapter(content: Buffer, version: number): RawChapter {
  const startMs = content.readUInt32BE(0);
  const endMs = content.readUInt32BE(4);
  return {
    title: titleOf(content.subarray(16), version),
    startMs: startMs === unknownTime ? 0 : startMs,
    endMs: endMs === unknownTime ? null : endMs,
  };
}

/** The TIT2 among the frames inside the chapter. */
function titleOf(frames: Buffer, version: number): string {
  for (let at = 0; at + 10 < frames.length; ) {
    const written = frames.readUInt32BE(at + 4);
    const sizeBytes = version >= 4 ? fromSyncSafe(written) : written;
    if (sizeBytes === 0) break;
    if (frames.toString("latin1", at, at + 4) === "TIT2") {
      return decodeId3Text(frames.subarray(at + 10, at + 10 + sizeBytes));
    }
    at += 10 + sizeBytes;
  }
  return "";
}

/** Some writers of ID3v2.4 forget that sizes have seven bits a byte; a size with a high bit shows it. */
function fromSyncSafe(value: number): number {
  if ((value & 0x80808080) !== 0) return value;
  return ((value & 0x7f000000) >> 3) | ((value & 0x7f0000) >> 2) | ((value & 0x7f00) >> 1) | (value & 0x7f);
}

function readContents(id: string, content: Buffer): Contents {
  const isTopLevel = ((content[0] ?? 0) & 2) !== 0;
  const count = content[1] ?? 0;
  const children: string[] = [];
  let at = 2;
  while (children.length < count) {
    const end = content.indexOf(0, at);
    if (end === -1) break;
    children.push(content.toString("latin1", at, end));
    at = end + 1;
  }
  return { id, isTopLevel, children };
}

/** The chapters' ids as the top-level table lists them, tables inside it unfolded once each. */
function orderOf(tables: ReadonlyMap<string, Contents>): readonly string[] {
  const all = [...tables.values()];
  const top = all.find((table) => table.isTopLevel) ?? all[0];
  const order: string[] = [];
  const open = top === undefined ? [] : [top.id];
  const unfolded = new Set<string>();
  while (open.length > 0 && order.length <= maxChapters) {
    const id = open.shift() ?? "";
    const table = tables.get(id);
    if (table === undefined) order.push(id);
    else if (!unfolded.has(id)) {
      unfolded.add(id);
      open.unshift(...table.children);
    }
  }
  return [...new Set(order)];
}
