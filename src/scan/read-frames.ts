import type { ByteSource } from "./chapters-mp4-boxes.ts";

/** Where a stream of frames begins and how long it lasts. */
export interface FrameStream {
  readonly start: number;
  readonly durationSeconds: number;
}

interface Frame {
  readonly sizeBytes: number;
  readonly seconds: number;
  /** What does not change from frame to frame; two neighbours that differ are not a stream. */
  readonly kind: number;
}

type ParseFrame = (bytes: Buffer, at: number) => Frame | null;

/** How far junk or padding is searched for the first frame. */
const searchBytes = 128 * 1024;

/** How much of a stream is walked for the average size of its frames. */
const walkBytes = 256 * 1024;

/**
 * The first MPEG audio frame at or after `from` that others follow. A sync word alone is in every
 * random kilobyte; node-taglib-sharp takes the first for sound and gives up after one kilobyte.
 */
export function findMpegAudio(source: ByteSource, from: number, end: number): number | null {
  return findStream(source, from, end, parseMpegFrame);
}

/** An ADTS stream, with the duration that follows from the average of its first frames. */
export function findAdts(source: ByteSource, from: number, end: number): FrameStream | null {
  const start = findStream(source, from, end, parseAdtsFrame);
  if (start === null) return null;
  const bytes = source.bytesAt(start, Math.min(walkBytes, end - start));
  let seconds = 0;
  let at = 0;
  for (let frame = parseAdtsFrame(bytes, at); frame !== null; frame = parseAdtsFrame(bytes, at)) {
    if (at + frame.sizeBytes > bytes.length) break;
    seconds += frame.seconds;
    at += frame.sizeBytes;
  }
  return { start, durationSeconds: at === 0 ? 0 : (seconds * (end - start)) / at };
}

function findStream(source: ByteSource, from: number, end: number, parse: ParseFrame): number | null {
  const bytes = source.bytesAt(from, Math.min(searchBytes, end - from));
  for (let at = bytes.indexOf(0xff); at !== -1; at = bytes.indexOf(0xff, at + 1)) {
    const frame = parse(bytes, at);
    if (frame === null) continue;
    if (isFollowed(bytes, at, frame, parse, at === 0 ? end - from : Number.POSITIVE_INFINITY))
      return from + at;
  }
  return null;
}

/** Two more frames of the same kind, or the end of a very short file, which is one frame and nothing else. */
function isFollowed(bytes: Buffer, at: number, frame: Frame, parse: ParseFrame, endAt: number): boolean {
  let next = at + frame.sizeBytes;
  for (let count = 0; count < 2; count++) {
    if (next === endAt || (count > 0 && next > endAt)) return true;
    const following = parse(bytes, next);
    if (following?.kind !== frame.kind) return false;
    next += following.sizeBytes;
  }
  return true;
}

/** Kilobits a second, by the header's index: MPEG 1 layers I to III, then MPEG 2 and 2.5 layer I, layers II and III. */
const bitrates: readonly (readonly number[])[] = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
];

const mpegSampleRates: readonly number[] = [44_100, 48_000, 32_000];

/** ISO/IEC 11172-3, 2.4.1.3: the header of an MPEG audio frame. */
function parseMpegFrame(bytes: Buffer, at: number): Frame | null {
  if (at + 4 > bytes.length || bytes[at] !== 0xff) return null;
  const header = bytes.readUInt32BE(at);
  const version = (header >>> 19) & 3;
  const layer = 4 - ((header >>> 17) & 3);
  const sampleRate = mpegSampleRates[(header >>> 10) & 3];
  if ((header >>> 21) % 2048 !== 0x7ff || version === 1 || layer === 4 || sampleRate === undefined)
    return null;
  const isFirst = version === 3;
  const table = isFirst ? layer - 1 : layer === 1 ? 3 : 4;
  const bitrate = bitrates[table]?.[(header >>> 12) & 15] ?? 0;
  if (bitrate === 0) return null;
  const rate = sampleRate / (isFirst ? 1 : version === 2 ? 2 : 4);
  const padding = (header >>> 9) & 1;
  const samples = layer === 1 ? 384 : layer === 3 && !isFirst ? 576 : 1152;
  const sizeBytes =
    layer === 1
      ? (Math.floor((12_000 * bitrate) / rate) + padding) * 4
      : Math.floor((samples * 125 * bitrate) / rate) + padding;
  return { sizeBytes, seconds: samples / rate, kind: header & 0xfffe0c00 };
}

const adtsSampleRates: readonly number[] = [
  96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
];

/** ISO/IEC 14496-3, 1.A.2.2: the header of an ADTS frame. */
function parseAdtsFrame(bytes: Buffer, at: number): Frame | null {
  if (at + 7 > bytes.length || bytes.readUInt16BE(at) >>> 4 !== 0xfff) return null;
  const header = bytes.readUInt32BE(at);
  const layer = (header >>> 17) & 3;
  const sampleRate = adtsSampleRates[(header >>> 10) & 15];
  const sizeBytes = (bytes.readUInt32BE(at + 2) >>> 5) & 0x1fff;
  if (layer !== 0 || sampleRate === undefined || sizeBytes < 7) return null;
  const blocks = (bytes.readUInt8(at + 6) & 3) + 1;
  return { sizeBytes, seconds: (blocks * 1024) / sampleRate, kind: header & 0xfffefdc0 };
}
