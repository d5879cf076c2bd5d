/** The bytes of a file, as the chapter readers ask for them. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** At most these bytes: fewer at the end of the file. Valid until the next call. */
  bytesAt(position: number, lengthBytes: number): Buffer;
}

/** A box of an ISO media file: where its content is. */
export interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** A hostile file is a row of eight-byte boxes; a real one has dozens. */
const maxBoxes = 20_000;

/**
 * The boxes between two positions (ISO/IEC 14496-12, 4.2). Ends at the first that cannot be: smaller than
 * its header or beyond its parent, so it always comes to an end.
 */
export function* boxesOf(source: ByteSource, start: number, end: number): Generator<Box> {
  let position = start;
  for (let count = 0; count < maxBoxes && position + 8 <= end; count++) {
    const header = source.bytesAt(position, 16);
    if (header.length < 8) return;
    const type = header.toString("latin1", 4, 8);
    let sizeBytes = header.readUInt32BE(0);
    let headerBytes = 8;
    if (sizeBytes === 0) sizeBytes = end - position;
    else if (sizeBytes === 1) {
      if (header.length < 16) return;
      sizeBytes = header.readUInt32BE(8) * 2 ** 32 + header.readUInt32BE(12);
      headerBytes = 16;
    }
    if (sizeBytes < headerBytes || position + sizeBytes > end) return;
    yield { type, start: position + headerBytes, end: position + sizeBytes };
    position += sizeBytes;
  }
}

export function findBox(source: ByteSource, parent: Box | null, type: string): Box | null {
  if (parent === null) return null;
  for (const box of boxesOf(source, parent.start, parent.end)) if (box.type === type) return box;
  return null;
}

export interface Timing {
  /** Units in a second. */
  readonly timescale: number;
  readonly duration: number;
}

/** `mvhd` and `mdhd` begin alike: version 1 has times of 64 bits. */
export function readTiming(source: ByteSource, box: Box): Timing {
  const bytes = source.bytesAt(box.start, 32);
  const isLong = bytes[0] === 1;
  if (bytes.length < (isLong ? 32 : 20)) return { timescale: 0, duration: 0 };
  if (isLong) {
    const duration = bytes.readUInt32BE(24) * 2 ** 32 + bytes.readUInt32BE(28);
    return { timescale: bytes.readUInt32BE(20), duration: Number.isSafeInteger(duration) ? duration : 0 };
  }
  const duration = bytes.readUInt32BE(16);
  return { timescale: bytes.readUInt32BE(12), duration: duration === 0xffffffff ? 0 : duration };
}
