import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import type { IFileAbstraction, IStream } from "node-taglib-sharp";

/** The bytes of the one file that is being read, in as few system calls as it takes. */
export interface FileWindow extends IFileAbstraction {
  /**
   * Opens the file in place of the one before. Never blocks on a FIFO or a device. Throws the system's
   * error, or `NotAFileError` for anything but a regular file.
   */
  open(path: string): void;
  close(): void;
  readonly sizeBytes: number;
  /**
   * The first error of the system while this file was read: the library takes any error for damage in the
   * file, a lost disk too.
   */
  readonly failure: unknown;
  /** The first bytes of the file, up to 64 KiB. Valid until the next `open`. */
  head(lengthBytes: number): Buffer;
  /** At most these bytes: fewer at the end of the file, none beyond it. Valid until the next call of any kind. */
  bytesAt(position: number, lengthBytes: number): Buffer;
  /**
   * What the library reads between these positions from now on is zeros and costs nothing: for a picture, of
   * which only the presence matters. `bytesAt` still gives the truth.
   */
  hide(start: number, end: number): void;
}

export class NotAFileError extends Error {
  override readonly name = "NotAFileError";
}

const headBytes = 64 * 1024;
const smallestRead = 4 * 1024;
const largestRead = 256 * 1024;

/**
 * A window over one file at a time, with buffers that live as long as it does. The beginning stays in memory;
 * a second buffer follows the reader: hops cost one small read each (a Matroska file has thousands of
 * clusters to hop over), reading on in sequence doubles the next read.
 */
export function createFileWindow(): FileWindow {
  const head = Buffer.allocUnsafeSlow(headBytes);
  let near = Buffer.allocUnsafeSlow(0);
  let fd = -1;
  let name = "";
  let sizeBytes = 0;
  let headLength = 0;
  let nearStart = 0;
  let nearEnd = 0;
  let nextRead = smallestRead;
  let failure: unknown = null;
  let hiddenStart = 0;
  let hiddenEnd = 0;

  function open(path: string): void {
    close();
    failure = null;
    hiddenStart = 0;
    hiddenEnd = 0;
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    if (!stats.isFile()) {
      close();
      throw new NotAFileError(path);
    }
    name = path;
    sizeBytes = stats.size;
    nearStart = 0;
    nearEnd = 0;
    nextRead = smallestRead;
    headLength = fill(head, Math.min(headBytes, sizeBytes), 0);
  }

  function close(): void {
    if (fd === -1) return;
    const closing = fd;
    fd = -1;
    headLength = 0;
    sizeBytes = 0;
    closeSync(closing);
  }

  function bytesAt(position: number, lengthBytes: number): Buffer {
    const end = Math.min(position + lengthBytes, sizeBytes);
    if (end <= position) return head.subarray(0, 0);
    if (end <= headLength) return head.subarray(position, end);
    if (position < nearStart || end > nearEnd) moveTo(position, end);
    return near.subarray(position - nearStart, Math.min(end, nearEnd) - nearStart);
  }

  /** Fills the second buffer with at least these bytes. */
  function moveTo(position: number, end: number): void {
    const goesOn = position >= nearStart && position <= nearEnd && nearEnd > 0;
    nextRead = goesOn ? Math.min(nextRead * 2, largestRead) : smallestRead;
    const lengthBytes = Math.max(end - position, nextRead);
    // Near the end of the file the reader goes backwards as often as forwards.
    const start = Math.max(0, Math.min(position, sizeBytes - lengthBytes));
    const wanted = Math.min(lengthBytes, sizeBytes - start);
    if (near.length < wanted) near = Buffer.allocUnsafeSlow(Math.max(wanted, 32 * 1024));
    nearStart = start;
    nearEnd = start;
    nearEnd = start + fill(near, wanted, start);
  }

  /** How many bytes could be read: fewer than wanted where the file has become shorter. */
  function fill(target: Buffer, wantedBytes: number, position: number): number {
    let filled = 0;
    while (filled < wantedBytes) {
      const count = readOnce(target, filled, wantedBytes - filled, position + filled);
      if (count === 0) break;
      filled += count;
    }
    return filled;
  }

  function readOnce(target: Buffer, offset: number, lengthBytes: number, position: number): number {
    try {
      return readSync(fd, target, offset, lengthBytes, position);
    } catch (error) {
      failure ??= error;
      throw error;
    }
  }

  const stream = createStream({
    bytesAt,
    length: () => sizeBytes,
    isHidden: (start, end) => start >= hiddenStart && end <= hiddenEnd,
  });
  return {
    open,
    close,
    get sizeBytes() {
      return sizeBytes;
    },
    head: (lengthBytes) => head.subarray(0, Math.min(lengthBytes, headLength)),
    bytesAt,
    hide(start, end) {
      hiddenStart = start;
      hiddenEnd = end;
    },
    get failure() {
      return failure;
    },
    get name() {
      return name;
    },
    get readStream() {
      stream.position = 0;
      return stream;
    },
    get writeStream(): IStream {
      throw new Error(`${name} is open for reading only.`);
    },
    closeStream() {},
  };
}

function createStream(source: {
  readonly bytesAt: (position: number, lengthBytes: number) => Buffer;
  readonly length: () => number;
  readonly isHidden: (start: number, end: number) => boolean;
}): IStream {
  return {
    canWrite: false,
    position: 0,
    get length() {
      return source.length();
    },
    close() {},
    read(target, offset, lengthBytes) {
      if (source.isHidden(this.position, this.position + lengthBytes)) {
        target.fill(0, offset, offset + lengthBytes);
        this.position += lengthBytes;
        return lengthBytes;
      }
      const bytes = source.bytesAt(this.position, lengthBytes);
      target.set(bytes, offset);
      this.position += bytes.length;
      return bytes.length;
    },
    // The library's SeekOrigin: 0 from the beginning, 1 from here, 2 from the end.
    seek(offset, origin) {
      const from = origin === 0 ? 0 : origin === 1 ? this.position : source.length();
      this.position = from + offset;
    },
    setLength() {},
    write: () => 0,
  };
}
