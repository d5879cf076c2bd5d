import { ByteVector, type IFileAbstraction, type IStream, SeekOrigin } from "node-taglib-sharp";

/** A file in memory for node-taglib-sharp to read and to write. */
export class MemoryFile implements IFileAbstraction, IStream {
  readonly name: string;
  readonly canWrite = true;
  position = 0;
  #bytes: Buffer;

  constructor(name: string, bytes: Buffer) {
    this.name = name;
    this.#bytes = Buffer.from(bytes);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#bytes.length;
  }

  get readStream(): IStream {
    this.position = 0;
    return this;
  }

  get writeStream(): IStream {
    this.position = 0;
    return this;
  }

  closeStream(): void {}

  close(): void {}

  read(target: Uint8Array, offset: number, length: number): number {
    const part = this.#bytes.subarray(this.position, this.position + length);
    target.set(part, offset);
    this.position += part.length;
    return part.length;
  }

  seek(offset: number, origin: SeekOrigin): void {
    if (origin === SeekOrigin.Begin) this.position = offset;
    else if (origin === SeekOrigin.Current) this.position += offset;
    else this.position = this.length + offset;
  }

  setLength(length: number): void {
    const next = Buffer.alloc(length);
    this.#bytes.copy(next);
    this.#bytes = next;
  }

  write(source: Uint8Array | ByteVector, offset: number, length: number): number {
    const bytes = source instanceof ByteVector ? source.toByteArray() : source;
    if (this.position + length > this.length) this.setLength(this.position + length);
    this.#bytes.set(bytes.subarray(offset, offset + length), this.position);
    this.position += length;
    return length;
  }
}
