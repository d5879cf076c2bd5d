import { type FileHandle, open } from "node:fs/promises";
import { AppError } from "../errors.ts";
import { diskError } from "../files/disk-error.ts";
import { writeDurably } from "./durable.ts";
import { encodeLine, readLines } from "./lines.ts";

/**
 * Stands behind the last record and is overwritten by the next one: without it even a cut between two lines is seen.
 */
const endMark = { type: "end" };

interface Pending {
  readonly records: readonly object[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An append-only file of records, each on the disk before `append` resolves. Lines are those of the document files
 * (see `encodeLine`). After the first failure nothing is ever written again, and every call throws `read_only`.
 */
export class JournalFile {
  readonly #path: string;
  readonly #handle: FileHandle;
  /** Of the records, without the end mark. */
  #durableBytes: number;
  #endBytes = 0;
  #pending: Pending[] = [];
  #writing: Promise<void> | null = null;
  #failure: AppError | null = null;

  private constructor(file: string, handle: FileHandle, durableBytes: number) {
    this.#path = file;
    this.#handle = handle;
    this.#durableBytes = durableBytes;
  }

  /** Makes a new journal that holds these records; it has its name only once it is whole. */
  static async create(file: string, records: readonly object[]): Promise<JournalFile> {
    const lines = linesOf(records, 0);
    const end = linesOf([endMark], 0);
    try {
      await writeDurably(file, Buffer.concat([lines, end]).toString("latin1"));
    } catch (error) {
      // A sync that fails names no file.
      throw diskError(error, "written", file);
    }
    const journal = new JournalFile(file, await open(file, "r+"), lines.length);
    journal.#endBytes = end.length;
    return journal;
  }

  /** Goes on behind the records, as `readJournal` found them; an end that was torn is made whole. */
  static async reopen(file: string, { recordBytes, endBytes }: JournalReading): Promise<JournalFile> {
    const journal = new JournalFile(file, await open(file, "r+"), recordBytes);
    journal.#endBytes = endBytes;
    if (endBytes > 0) return journal;
    try {
      await journal.#writeEnd();
      await journal.#handle.datasync();
      return journal;
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  /** Length of the file. */
  get sizeBytes(): number {
    return this.#durableBytes + this.#endBytes;
  }

  /** Resolves when the records are on the disk; concurrent calls share one fdatasync. */
  append(records: readonly object[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ records, resolve, reject });
      this.#writing ??= this.#writePending();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#handle.close();
  }

  async #writePending(): Promise<void> {
    // A turn of the event loop gathers what is asked for at the same time.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        await this.#write(batch.flatMap((pending) => pending.records));
        for (const pending of batch) pending.resolve();
      } catch (error) {
        for (const pending of batch) pending.reject(error);
      }
    }
    this.#writing = null;
  }

  async #write(records: readonly object[]): Promise<void> {
    if (this.#failure !== null) throw this.#failure;
    const lines = linesOf(records, this.#durableBytes);
    const end = linesOf([endMark], this.#durableBytes);
    try {
      await writeWhole(this.#handle, Buffer.concat([lines, end]), this.#durableBytes);
      await this.#handle.datasync();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `the journal ${this.#path} cannot be written: ${reason}. Free space or repair the disk.`;
      this.#failure = new AppError("read_only", message, { cause: error, retryable: true });
      await this.#restoreEnd();
      throw this.#failure;
    }
    this.#durableBytes += lines.length;
    this.#endBytes = end.length;
  }

  /** What was not acknowledged goes, so that the next start finds a whole journal; where it cannot, it cuts it off. */
  async #restoreEnd(): Promise<void> {
    try {
      await this.#writeEnd();
    } catch {
      // The failure that is thrown says all that there is to say: the disk takes nothing.
    }
  }

  async #writeEnd(): Promise<void> {
    const end = linesOf([endMark], this.#durableBytes);
    await this.#handle.truncate(this.#durableBytes);
    await writeWhole(this.#handle, end, this.#durableBytes);
    this.#endBytes = end.length;
  }
}

function linesOf(records: readonly object[], sealedBytes: number): Buffer {
  const lines = records.map((record) => `${encodeLine(JSON.stringify(record), sealedBytes)}\n`);
  return Buffer.from(lines.join(""), "latin1");
}

async function writeWhole(handle: FileHandle, content: Buffer, position: number): Promise<void> {
  for (let written = 0; written < content.length; ) {
    const { bytesWritten } = await handle.write(
      content,
      written,
      content.length - written,
      position + written,
    );
    if (bytesWritten === 0) throw new Error("the disk took nothing of a write");
    written += bytesWritten;
  }
}

export interface JournalReading {
  readonly records: readonly Readonly<Record<string, unknown>>[];
  /** Where the next record goes. */
  readonly recordBytes: number;
  /** Of the end mark behind it; 0 where that is torn. */
  readonly endBytes: number;
  /** `tail`: it ends in an unfinished write, or was cut; `inside`: acknowledged records are gone or changed. */
  readonly damage: { readonly kind: "tail" | "inside"; readonly offsetBytes: number } | null;
}

/** Reads a journal without changing it, and says what of it can be trusted. */
export function readJournal(content: Buffer): JournalReading {
  const { records, damage } = readLines(content);
  if (damage !== null) return damagedAt(content, damage.offsetBytes, damage.kind);
  const marks = records.filter(isEndMark).length;
  const last = records.at(-1);
  const isWhole = content.at(-1) === 0x0a;
  if (marks > 1 || (marks === 1 && !isEndMark(last))) return damagedAt(content, content.length, "inside");
  const lastLine = content.lastIndexOf(0x0a, content.length - (isWhole ? 2 : 1)) + 1;
  if (marks === 1 && isWhole) {
    const endBytes = content.length - lastLine;
    return { records: records.slice(0, -1), recordBytes: lastLine, endBytes, damage: null };
  }
  return damagedAt(content, isWhole ? content.length : lastLine, "tail");
}

/** What stands before the damage; a line that lost its end is part of the damage. */
function damagedAt(content: Buffer, offsetBytes: number, kind: "tail" | "inside"): JournalReading {
  const { records } = readLines(content.subarray(0, offsetBytes));
  const kept = records.filter((record) => !isEndMark(record));
  return { records: kept, recordBytes: offsetBytes, endBytes: 0, damage: { kind, offsetBytes } };
}

function isEndMark(record: Readonly<Record<string, unknown>> | undefined): boolean {
  return record?.["type"] === endMark.type;
}
