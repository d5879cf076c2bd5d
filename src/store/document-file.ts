import { existsSync } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import path from "node:path";
import Datastore from "nedb-promises";
import { AppError } from "../errors.ts";
import { syncFolder } from "../files/sync.ts";
import { freeBytes, isOutOfSpace, writeDurably } from "./durable.ts";
import { decodeLine, encodeLine } from "./lines.ts";

/** A document as NeDB keeps it. `_id` is unique per version: a change is a new document and the old one's removal. */
export interface RawDocument {
  readonly _id: string;
  readonly [field: string]: unknown;
}

/** What stands where a document would: it makes everything before it known to be durable (see `encodeLine`). */
export const sealId = "seal";

/**
 * Rewriting is worth it from 1 MiB on, and when at most a quarter of the lines still count: the bytes that
 * rewriting costs are then at most a third of those that were appended.
 */
const compactFromBytes = 1024 * 1024;
const compactAtLinesPerDocument = 4;

/** NeDB takes `$in` apart document by document, so removing n at once costs n² comparisons. */
const removeAtOnce = 100;

/** Twice the file, because the rewritten copy lies beside it; and a little for the seal and the folder. */
export function bytesNeededToRewrite(sizeBytes: number): number {
  return 2 * sizeBytes + 64 * 1024;
}

/**
 * A NeDB data file that was found intact, opened for writing; the only place where NeDB is used.
 *
 * NeDB appends and rewrites, this class makes both durable. After the first failure it writes nothing again: the
 * file is cut back to its last durable length and every later call throws `read_only`, retryable where the disk
 * was full and the file is as it was: then it may be inspected and opened anew.
 */
export class DocumentFile {
  readonly #file: string;
  readonly #database: Database;
  readonly #framing: Framing;
  #handle: FileHandle;
  #durableBytes = 0;
  #sealedBytes = 0;
  #lineCount = 0;
  #documentCount: number;
  #failure: AppError | null = null;

  private constructor(
    file: string,
    documentCount: number,
    database: Database,
    framing: Framing,
    handle: FileHandle,
  ) {
    this.#file = file;
    this.#documentCount = documentCount;
    this.#database = database;
    this.#framing = framing;
    this.#handle = handle;
  }

  /**
   * Loads the file, creating it where there is none. The caller has checked every line and the free space, and
   * counted the documents.
   */
  static async open(file: string, documentCount: number): Promise<DocumentFile> {
    const framing: Framing = { sealedBytes: 0, writtenBytes: 0 };
    // Not by NeDB, which makes it empty at first: an empty file shall be known for a damaged one.
    if (!existsSync(file)) await writeDurably(file, `${encodeLine(JSON.stringify(sealOf(0)), 0)}\n`);
    const database = createDatabase(file, framing);
    await database.load();
    await syncFolder(path.dirname(file));
    const opened = new DocumentFile(file, documentCount, database, framing, await open(file, "r+"));
    try {
      await opened.#rewritten();
    } catch (error) {
      await opened.#handle.close();
      throw error;
    }
    return opened;
  }

  /** Resolves when the inserts and the removals are on the disk. Not for concurrent calls. */
  async append(inserts: readonly RawDocument[], removedIds: readonly string[]): Promise<void> {
    await this.#durably(async () => {
      if (inserts.length > 0) await this.#database.insert([...inserts]);
      for (let from = 0; from < removedIds.length; from += removeAtOnce) {
        const $in = removedIds.slice(from, from + removeAtOnce);
        await this.#database.remove({ _id: { $in } }, { multi: true });
      }
    });
    this.#lineCount += inserts.length + removedIds.length;
    this.#documentCount += inserts.length - removedIds.length;
  }

  /** Rewrites the file where that is worth it. Resolves at once where it is not. */
  async compact(): Promise<void> {
    if (this.#durableBytes < compactFromBytes) return;
    if (this.#lineCount < compactAtLinesPerDocument * (this.#documentCount + 1)) return;
    this.#refuseAfterFailure();
    const neededBytes = bytesNeededToRewrite(this.#durableBytes);
    if ((await freeBytes(path.dirname(this.#file))) < neededBytes) {
      const message = `${this.#file} is read-only now, rewriting it needs ${neededBytes} free bytes`;
      this.#failure = new AppError("read_only", message, { retryable: true });
      throw this.#failure;
    }
    try {
      this.#framing.sealedBytes = 0;
      await this.#database.compactDatafileAsync();
      const previous = this.#handle;
      this.#handle = await open(this.#file, "r+");
      await previous.close();
      await this.#rewritten();
    } catch (error) {
      this.#failure ??= readOnly(this.#file, "rewriting it failed", error, isOutOfSpace(error));
      throw this.#failure;
    }
  }

  /** Seals what was written since the last seal, and closes. */
  async close(): Promise<void> {
    try {
      if (this.#failure === null && this.#durableBytes > this.#sealedBytes) await this.#seal();
    } finally {
      await this.#handle.close();
    }
  }

  async #rewritten(): Promise<void> {
    this.#lineCount = this.#documentCount;
    this.#durableBytes = (await this.#handle.stat()).size;
    await this.#seal();
  }

  async #seal(): Promise<void> {
    const bytes = this.#durableBytes;
    await this.#durably(() => this.#database.update({ _id: sealId }, sealOf(bytes), { upsert: true }));
    this.#sealedBytes = this.#durableBytes;
  }

  async #durably(write: () => Promise<unknown>): Promise<void> {
    this.#refuseAfterFailure();
    this.#framing.sealedBytes = this.#durableBytes;
    this.#framing.writtenBytes = 0;
    try {
      await write();
      await this.#handle.datasync();
      await this.#expectGrowth(this.#framing.writtenBytes);
    } catch (error) {
      // Where it cannot be cut: what lies behind was not acknowledged, and the next start cuts or keeps it.
      const isCut = await this.#handle.truncate(this.#durableBytes).then(
        () => true,
        () => false,
      );
      this.#failure = readOnly(this.#file, "a write failed", error, isCut && isOutOfSpace(error));
      throw this.#failure;
    }
  }

  /** Also notices that somebody replaced or cut the file while it was open. */
  async #expectGrowth(writtenBytes: number): Promise<void> {
    const [opened, named] = await Promise.all([this.#handle.stat(), stat(this.#file)]);
    if (opened.ino !== named.ino || opened.size !== this.#durableBytes + writtenBytes) {
      throw new Error("another program replaced or changed the file");
    }
    this.#durableBytes = opened.size;
  }

  #refuseAfterFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

function sealOf(bytes: number): RawDocument {
  return { _id: sealId, bytes };
}

/** Shared with NeDB's hooks: which seal the lines carry, and how much was handed to the file. */
interface Framing {
  sealedBytes: number;
  writtenBytes: number;
}

type Database = ReturnType<typeof Datastore.create> & { compactDatafileAsync(): Promise<void> };

function createDatabase(filename: string, framing: Framing): Database {
  const database = Datastore.create({
    filename,
    corruptAlertThreshold: 0,
    modes: { fileMode: 0o600, dirMode: 0o700 },
    afterSerialization: (json: string) => {
      const line = encodeLine(json, framing.sealedBytes);
      framing.writtenBytes += line.length + 1;
      return line;
    },
    beforeDeserialization: (line: string) => {
      const decoded = decodeLine(line);
      if (decoded === null) throw new Error(`a line of ${filename} fails its checksum`);
      return decoded.json;
    },
  } as Parameters<typeof Datastore.create>[0]);
  // nedb-promises hands through what NeDB itself offers, but its types do not say so.
  return database as Database;
}

function readOnly(file: string, what: string, cause: unknown, retryable: boolean): AppError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AppError("read_only", `${file} is read-only now, ${what}: ${reason}`, { cause, retryable });
}
