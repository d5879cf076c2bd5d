import type { ByteSource } from "./chapters-mp4-boxes.ts";

/** Thousands of chapters fit; node-taglib-sharp counts up to whatever a damaged file says, four billion too. */
const maxComments = 50_000;

/** Whether the Vorbis comment of an Ogg stream, which begins its second page, has a possible number of fields. */
export function hasPossibleOggComment(source: ByteSource): boolean {
  const second = pageContent(source, 0)?.end;
  const content = second === undefined ? null : pageContent(source, second);
  if (content === null) return false;
  const packet = source.bytesAt(content.start, 8);
  const isOpus = packet.toString("latin1") === "OpusTags";
  return isPossible(source, content.start + (isOpus ? 8 : 7));
}

/** The same of every comment block of a FLAC file whose `fLaC` is at `start`. */
export function hasPossibleFlacComment(source: ByteSource, start: number): boolean {
  const commentBlock = 4;
  let position = start + 4;
  for (let count = 0; count < maxComments; count++) {
    const header = source.bytesAt(position, 4);
    if (header.length < 4) return false;
    const type = header.readUInt8(0);
    const sizeBytes = header.readUIntBE(1, 3);
    if ((type & 0x7f) === commentBlock && !isPossible(source, position + 4)) return false;
    if ((type & 0x80) !== 0) return true;
    position += 4 + sizeBytes;
  }
  return false;
}

/** The same of a comment that is in memory. */
export function hasPossibleComment(bytes: Buffer): boolean {
  return isPossible(
    { sizeBytes: bytes.length, bytesAt: (position, length) => bytes.subarray(position, position + length) },
    0,
  );
}

function isPossible(source: ByteSource, start: number): boolean {
  const vendor = source.bytesAt(start, 4);
  if (vendor.length < 4) return false;
  const count = source.bytesAt(start + 4 + vendor.readUInt32LE(0), 4);
  return count.length === 4 && count.readUInt32LE(0) <= maxComments;
}

/** What follows the header of an Ogg page (RFC 3533, 6); null where there is no page. */
function pageContent(source: ByteSource, position: number): { start: number; end: number } | null {
  const header = source.bytesAt(position, 27 + 255);
  const segments = header[26] ?? 0;
  if (header.toString("latin1", 0, 4) !== "OggS" || header.length < 27 + segments) return null;
  const start = position + 27 + segments;
  return { start, end: start + header.subarray(27, 27 + segments).reduce((sum, size) => sum + size, 0) };
}
