import type { ByteSource } from "./chapters-mp4-boxes.ts";

/** An element of an EBML document: where its content is. */
export interface Element {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

/** More than a real file has: a hostile one is a row of two-byte elements. */
const maxElements = 100_000;

/** Longer texts than this are not read whole. */
const maxTextBytes = 100_000;

/**
 * The elements between two positions (RFC 8794). One of unknown size, as live streams have, reaches to the
 * end of its parent. Ends at what cannot be an element.
 */
export function* elementsOf(source: ByteSource, start: number, end: number): Generator<Element> {
  let position = start;
  for (let count = 0; count < maxElements && position < end; count++) {
    const header = source.bytesAt(position, 12);
    const idBytes = lengthOf(header[0] ?? 0);
    const sizeBytes = lengthOf(header[idBytes] ?? 0);
    if (idBytes > 4 || sizeBytes > 8 || header.length < idBytes + sizeBytes) return;
    const contentStart = position + idBytes + sizeBytes;
    const size = variableInteger(header, idBytes, sizeBytes);
    const contentEnd = size === null ? end : contentStart + size;
    if (contentEnd > end) {
      // Cut off: what is there may still hold what we look for.
      yield { id: header.readUIntBE(0, idBytes), start: contentStart, end };
      return;
    }
    yield { id: header.readUIntBE(0, idBytes), start: contentStart, end: contentEnd };
    position = contentEnd;
  }
}

/** Null for an element that is longer than a number can be. */
export function readUnsigned(source: ByteSource, element: Element): number | null {
  const bytes = contentOf(source, element, 9);
  if (bytes.length > 8) return null;
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

export function readFloat(source: ByteSource, element: Element): number {
  const bytes = contentOf(source, element, 9);
  if (bytes.length === 4) return bytes.readFloatBE(0);
  return bytes.length === 8 ? bytes.readDoubleBE(0) : 0;
}

/** Text ends at a zero byte, with which some writers fill up. */
export function readText(source: ByteSource, element: Element): string {
  const bytes = contentOf(source, element, maxTextBytes);
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end === -1 ? bytes.length : end);
}

function contentOf(source: ByteSource, element: Element, limitBytes: number): Buffer {
  return source.bytesAt(element.start, Math.min(element.end - element.start, limitBytes));
}

/** The number of leading zero bits of the first byte, plus one; 9 where there is no length. */
function lengthOf(firstByte: number): number {
  return Math.clz32(firstByte) - 23;
}

/** Null for "unknown": all bits set. */
function variableInteger(bytes: Buffer, at: number, length: number): number | null {
  let value = bytes.readUInt8(at) & (0xff >> length);
  let isUnknown = value === 0xff >> length;
  for (let i = 1; i < length; i++) {
    const byte = bytes.readUInt8(at + i);
    value = value * 256 + byte;
    isUnknown &&= byte === 0xff;
  }
  return isUnknown ? null : value;
}
