import { ByteVector, XiphComment } from "node-taglib-sharp";
import type { ByteSource } from "./chapters-mp4-boxes.ts";
import { hasPossibleComment } from "./read-comment-count.ts";

export interface OggFlacReading {
  readonly durationSeconds: number;
  readonly comment: XiphComment | null;
}

const maxPages = 1000;
const maxPacketBytes = 16 * 1024 * 1024;
const streamInfoBytes = 34;
const commentBlock = 4;

export function isOggFlac(head: Buffer): boolean {
  const packetAt = 27 + (head[26] ?? 0);
  return head.toString("latin1", packetAt, packetAt + 5) === "\x7fFLAC";
}

/**
 * FLAC in Ogg, which is what ffmpeg makes of `.oga` and what node-taglib-sharp does not know: the first
 * packet holds the stream's description, the following ones a metadata block each
 * (https://xiph.org/flac/ogg_mapping.html). Null where that is not so.
 */
export function readOggFlac(source: ByteSource): OggFlacReading | null {
  let sampleRate = 0;
  let totalSamples = 0;
  let comment: XiphComment | null = null;
  for (const packet of packetsOf(source)) {
    if (sampleRate === 0) {
      const info = packet.subarray(13 + 4, 13 + 4 + streamInfoBytes);
      if (packet.toString("latin1", 9, 13) !== "fLaC" || info.length < streamInfoBytes) return null;
      sampleRate = info.readUIntBE(10, 3) >>> 4;
      totalSamples = (info.readUInt8(13) & 15) * 2 ** 32 + info.readUInt32BE(14);
      if (sampleRate === 0) return null;
      continue;
    }
    const header = packet[0] ?? 0xff;
    if (header === 0xff) break;
    if ((header & 0x7f) === commentBlock && hasPossibleComment(packet.subarray(4))) {
      comment = XiphComment.fromData(ByteVector.fromByteArray(packet.subarray(4)), true);
    }
    if ((header & 0x80) !== 0) break;
  }
  if (sampleRate === 0) return null;
  return { durationSeconds: (totalSamples || lastGranulePosition(source)) / sampleRate, comment };
}

/** The packets of the first pages (RFC 3533), each a copy. */
function* packetsOf(source: ByteSource): Generator<Buffer> {
  let parts: Buffer[] = [];
  let lengthBytes = 0;
  let position = 0;
  for (let page = 0; page < maxPages; page++) {
    const header = source.bytesAt(position, 27 + 255);
    const segments = header[26] ?? 0;
    if (header.toString("latin1", 0, 4) !== "OggS" || header.length < 27 + segments) return;
    const sizes = [...header.subarray(27, 27 + segments)];
    position += 27 + segments;
    for (const sizeBytes of sizes) {
      parts.push(Buffer.from(source.bytesAt(position, sizeBytes)));
      position += sizeBytes;
      lengthBytes += sizeBytes;
      if (lengthBytes > maxPacketBytes) return;
      if (sizeBytes === 255) continue;
      yield Buffer.concat(parts);
      parts = [];
      lengthBytes = 0;
    }
  }
}

function lastGranulePosition(source: ByteSource): number {
  const tailBytes = 128 * 1024;
  const tail = source.bytesAt(Math.max(0, source.sizeBytes - tailBytes), tailBytes);
  const page = tail.lastIndexOf("OggS", undefined, "latin1");
  if (page === -1 || page + 14 > tail.length) return 0;
  return tail.readUInt32LE(page + 10) * 2 ** 32 + tail.readUInt32LE(page + 6);
}
