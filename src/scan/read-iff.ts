import type { ByteSource } from "./chapters-mp4-boxes.ts";

/** What the chunks of a file say about its sound, and where its ID3v2 tag lies. */
export interface IffReading {
  /** 0 where the file does not say. */
  readonly durationSeconds: number;
  readonly id3: { readonly start: number; readonly sizeBytes: number } | null;
}

/**
 * AIFF and AIFF-C (what macOS makes of a CD): chunks of big-endian sizes, the rate an 80-bit float. Our own,
 * because node-taglib-sharp refuses AIFF-C. Null where there is no sound.
 */
export function readAiffChunks(source: ByteSource): IffReading | null {
  let durationSeconds: number | null = null;
  let hasSound = false;
  let id3: IffReading["id3"] = null;
  for (const { id, start, sizeBytes } of chunksOf(source, (bytes, at) => bytes.readUInt32BE(at))) {
    if (id === "COMM") {
      const bytes = source.bytesAt(start, Math.min(sizeBytes, 18));
      if (bytes.length === 18) durationSeconds = quotient(bytes.readUInt32BE(2), readExtended(bytes, 8));
    } else if (id === "SSND") hasSound = true;
    else if (/^id3 $/i.test(id)) id3 ??= { start, sizeBytes };
  }
  return durationSeconds === null || !hasSound ? null : { durationSeconds, id3 };
}

/**
 * RF64 (EBU Tech 3306): a WAVE file whose `ds64` chunk has the sizes that need more than 32 bits, as a
 * recording of more than 4 GiB does. Null where there is no sound.
 */
export function readRf64Chunks(source: ByteSource): IffReading | null {
  const inDs64 = 0xffffffff;
  let largeDataBytes = 0;
  let bytesPerSecond: number | null = null;
  let dataBytes: number | null = null;
  let id3: IffReading["id3"] = null;
  const sizeAt = (bytes: Buffer, at: number): number => {
    const sizeBytes = bytes.readUInt32LE(at);
    return sizeBytes === inDs64 ? largeDataBytes : sizeBytes;
  };
  for (const { id, start, sizeBytes } of chunksOf(source, sizeAt)) {
    if (id === "ds64") {
      const bytes = source.bytesAt(start, 16);
      if (bytes.length === 16) largeDataBytes = bytes.readUInt32LE(8) + bytes.readUInt32LE(12) * 2 ** 32;
    } else if (id === "fmt ") {
      const bytes = source.bytesAt(start, 12);
      if (bytes.length === 12) bytesPerSecond = bytes.readUInt32LE(8);
    } else if (id === "data") dataBytes ??= sizeBytes;
    else if (/^id3 $/i.test(id)) id3 ??= { start, sizeBytes };
  }
  if (bytesPerSecond === null || dataBytes === null) return null;
  return { durationSeconds: quotient(dataBytes, bytesPerSecond), id3 };
}

interface Chunk {
  readonly id: string;
  readonly start: number;
  readonly sizeBytes: number;
}

/** More than any file has: what a damaged one can claim is bounded. */
const maxChunks = 10_000;

/** The chunks behind the twelve bytes of the form's header. A chunk of odd size is followed by a padding byte. */
function* chunksOf(source: ByteSource, sizeAt: (bytes: Buffer, at: number) => number): Generator<Chunk> {
  let position = 12;
  for (let count = 0; count < maxChunks && position < source.sizeBytes; count++) {
    const header = source.bytesAt(position, 8);
    if (header.length < 8) return;
    const sizeBytes = sizeAt(header, 4);
    yield { id: header.toString("latin1", 0, 4), start: position + 8, sizeBytes };
    position += 8 + sizeBytes + (sizeBytes % 2);
  }
}

/** IEEE 754 extended precision, of which a sample rate needs the whole numbers only. */
function readExtended(bytes: Buffer, at: number): number {
  const exponent = (bytes.readUInt16BE(at) & 0x7fff) - 16383;
  return (
    bytes.readUInt32BE(at + 2) * 2 ** (exponent - 31) + bytes.readUInt32BE(at + 6) * 2 ** (exponent - 63)
  );
}

function quotient(amount: number, perSecond: number): number {
  return perSecond > 0 ? amount / perSecond : 0;
}
