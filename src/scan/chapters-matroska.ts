import { maxChapters, type RawChapter } from "./chapters-list.ts";
import type { ByteSource } from "./chapters-mp4-boxes.ts";
import { type Element, elementsOf, readText, readUnsigned } from "./read-ebml.ts";

/** Matroska chapter element ids (RFC 9559, 5.1.7). */
const ids = {
  edition: 0x45b9,
  atom: 0xb6,
  isHidden: 0x98,
  isEnabled: 0x4598,
  start: 0x91,
  end: 0x92,
  display: 0x80,
  text: 0x85,
} as const;

const nanosecondsPerMs = 1_000_000;

/** The chapters of the first edition, without those that are hidden or switched off, and without sub-chapters. */
export function readMatroskaChapters(source: ByteSource, chapters: Element): readonly RawChapter[] {
  for (const edition of elementsOf(source, chapters.start, chapters.end)) {
    if (edition.id !== ids.edition) continue;
    const found: RawChapter[] = [];
    for (const atom of elementsOf(source, edition.start, edition.end)) {
      const chapter = atom.id === ids.atom ? readAtom(source, atom) : null;
      if (chapter !== null && found.length < maxChapters) found.push(chapter);
    }
    return found.sort((a, b) => a.startMs - b.startMs);
  }
  return [];
}

function readAtom(source: ByteSource, atom: Element): RawChapter | null {
  let title: string | null = null;
  let startNs = 0;
  let endNs: number | null = null;
  for (const part of elementsOf(source, atom.start, atom.end)) {
    if (part.id === ids.isHidden && readUnsigned(source, part) === 1) return null;
    if (part.id === ids.isEnabled && readUnsigned(source, part) === 0) return null;
    if (part.id === ids.start) startNs = readUnsigned(source, part) ?? 0;
    else if (part.id === ids.end) endNs = readUnsigned(source, part);
    else if (part.id === ids.display) title ??= readDisplay(source, part);
  }
  return {
    title: title ?? "",
    startMs: Math.round(startNs / nanosecondsPerMs),
    endMs: endNs === null ? null : Math.round(endNs / nanosecondsPerMs),
  };
}

function readDisplay(source: ByteSource, display: Element): string | null {
  for (const part of elementsOf(source, display.start, display.end)) {
    if (part.id === ids.text) return readText(source, part);
  }
  return null;
}
