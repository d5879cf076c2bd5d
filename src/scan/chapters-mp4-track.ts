import { maxChapters, type RawChapter } from "./chapters-list.ts";
import { type Box, type ByteSource, findBox, readTiming } from "./chapters-mp4-boxes.ts";

interface Run {
  readonly count: number;
  readonly value: number;
}

/** How much of a text sample is read: a title, not what may follow it. */
const maxSampleBytes = 2048;

/**
 * The chapters of a QuickTime text track: each sample is a title, its duration the chapter's (ISO/IEC
 * 14496-12, 8.6 and 8.7). `movieTimescale` is what edit lists count in.
 */
export function readTextTrack(source: ByteSource, track: Box, movieTimescale: number): readonly RawChapter[] {
  const media = findBox(source, track, "mdia");
  const table = findBox(source, findBox(source, media, "minf"), "stbl");
  const header = findBox(source, media, "mdhd");
  const timescale = header === null ? 0 : readTiming(source, header).timescale;
  if (table === null || timescale === 0) return [];
  const durations = expand(readRuns(source, findBox(source, table, "stts")));
  const places = samplePlaces(source, table, durations.length);
  const shiftMs = editShiftMs(source, track, movieTimescale, timescale);
  const chapters: RawChapter[] = [];
  let units = 0;
  for (const [i, place] of places.entries()) {
    const start = units;
    units += durations[i] ?? 0;
    chapters.push({
      title: readTitle(source, place),
      startMs: Math.round((start * 1000) / timescale + shiftMs),
      endMs: Math.round((units * 1000) / timescale + shiftMs),
    });
  }
  return chapters.filter((chapter) => chapter.endMs === null || chapter.endMs > 0);
}

interface Place {
  readonly position: number;
  readonly sizeBytes: number;
}

/** Where each sample lies: chunks have offsets, and runs of chunks have the same number of samples. */
function samplePlaces(source: ByteSource, table: Box, count: number): readonly Place[] {
  const sizes = readSizes(source, findBox(source, table, "stsz"), count);
  const offsets = readOffsets(source, table, count);
  const runs = readEntries(source, findBox(source, table, "stsc"), 12, count);
  const places: Place[] = [];
  let run = 0;
  for (const [index, offset] of offsets.entries()) {
    const chunk = index + 1;
    while ((runs[run + 1]?.readUInt32BE(0) ?? Number.POSITIVE_INFINITY) <= chunk) run++;
    const samples = runs[run]?.readUInt32BE(4) ?? 0;
    let position = offset;
    for (let i = 0; i < samples && places.length < sizes.length; i++) {
      const sizeBytes = sizes[places.length] ?? 0;
      places.push({ position, sizeBytes });
      position += sizeBytes;
    }
  }
  return places;
}

function readTitle(source: ByteSource, { position, sizeBytes }: Place): string {
  const sample = source.bytesAt(position, Math.min(sizeBytes, maxSampleBytes));
  if (sample.length < 2) return "";
  const text = sample.subarray(2, 2 + sample.readUInt16BE(0));
  const isBigEndian = text[0] === 0xfe && text[1] === 0xff;
  if (isBigEndian) {
    const even = text.subarray(2, text.length - (text.length % 2));
    return Buffer.from(even).swap16().toString("utf16le");
  }
  if (text[0] === 0xff && text[1] === 0xfe) return text.toString("utf16le", 2);
  return text.toString("utf8");
}

/** How much later than in the track its chapters begin: an empty edit delays them, a cut brings them forward. */
function editShiftMs(source: ByteSource, track: Box, movieTimescale: number, timescale: number): number {
  const list = findBox(source, findBox(source, track, "edts"), "elst");
  if (list === null || movieTimescale === 0) return 0;
  const bytes = source.bytesAt(list.start, Math.min(list.end - list.start, 8 + 2 * 20));
  // Version 1 has 64-bit times; nobody writes one for chapters.
  if (bytes.length < 20 || bytes[0] !== 0) return 0;
  const emptyEdit = 0xffffffff;
  let delayMs = 0;
  let at = 8;
  if (bytes.readUInt32BE(at + 4) === emptyEdit) {
    delayMs = (bytes.readUInt32BE(at) * 1000) / movieTimescale;
    at += 12;
  }
  const cut = at + 8 <= bytes.length ? bytes.readUInt32BE(at + 4) : 0;
  return delayMs - (cut === emptyEdit ? 0 : (cut * 1000) / timescale);
}

function readRuns(source: ByteSource, box: Box | null): readonly Run[] {
  return readEntries(source, box, 8, maxChapters).map((entry) => ({
    count: entry.readUInt32BE(0),
    value: entry.readUInt32BE(4),
  }));
}

function expand(runs: readonly Run[]): readonly number[] {
  const values: number[] = [];
  for (const { count, value } of runs) {
    for (let i = 0; i < count && values.length < maxChapters; i++) values.push(value);
  }
  return values;
}

function readSizes(source: ByteSource, box: Box | null, count: number): readonly number[] {
  if (box === null) return [];
  const head = source.bytesAt(box.start, 12);
  if (head.length < 12) return [];
  const sameForAll = head.readUInt32BE(4);
  const wanted = Math.min(head.readUInt32BE(8), count);
  if (sameForAll !== 0) return new Array<number>(wanted).fill(sameForAll);
  const bytes = source.bytesAt(box.start + 12, Math.min(box.end - box.start - 12, wanted * 4));
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readUInt32BE(i * 4));
}

function readOffsets(source: ByteSource, table: Box, count: number): readonly number[] {
  const short = findBox(source, table, "stco");
  if (short !== null) return readEntries(source, short, 4, count).map((entry) => entry.readUInt32BE(0));
  return readEntries(source, findBox(source, table, "co64"), 8, count).map(
    (entry) => entry.readUInt32BE(0) * 2 ** 32 + entry.readUInt32BE(4),
  );
}

/** The entries of a table: version and flags, a count, then entries of one size. At most `limit` of them. */
function readEntries(
  source: ByteSource,
  box: Box | null,
  entryBytes: number,
  limit: number,
): readonly Buffer[] {
  if (box === null) return [];
  const head = source.bytesAt(box.start, 8);
  if (head.length < 8) return [];
  const count = Math.min(head.readUInt32BE(4), limit);
  const lengthBytes = Math.min(count * entryBytes, box.end - box.start - 8);
  // A copy: the source's own bytes are valid until the next call only.
  const bytes = Buffer.from(source.bytesAt(box.start + 8, lengthBytes));
  const entries: Buffer[] = [];
  for (let at = 0; at + entryBytes <= bytes.length; at += entryBytes) {
    entries.push(bytes.subarray(at, at + entryBytes));
  }
  return entries;
}
