import { readFile, rename, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { AppError, systemCode } from "../errors.ts";
import { bytesNeededToRewrite, DocumentFile, type RawDocument } from "./document-file.ts";
import { type DocumentKind, readVersions, type StoredVersion, toRaw } from "./document-versions.ts";
import { freeBytes, keepDamagedCopy, syncFile, syncFolder } from "./durable.ts";
import { readLines } from "./lines.ts";
import type { StoreIssue } from "./ports.ts";

/** Told of every document at loading and of every change once it is durable; `null` where there is none. */
export type DocumentListener<D> = (key: string, before: D | null, after: D | null) => void;

export interface DocumentOptions<D> {
  readonly folder: string;
  readonly kind: DocumentKind<D>;
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
  readonly changed?: DocumentListener<D>;
}

/** What each document store offers beside its port. */
export interface StoreFile {
  readonly readOnly: boolean;
  /** Throws `store_damaged` where the file is not what was written. */
  verify(): Promise<void>;
  /** Ends what is being written, then closes the file. */
  close(): Promise<void>;
}

/** How `openStore` opens a document store. */
export type StoreFileOptions = Pick<DocumentOptions<never>, "folder" | "now" | "report">;

export interface DocumentChange<D> {
  readonly puts?: ReadonlyMap<string, D>;
  readonly removes?: Iterable<string>;
}

/**
 * A durable map from keys to documents. Reads show what is durable, never what is still being written.
 */
export interface Documents<D> extends StoreFile {
  get(key: string): D | null;
  entries(): Iterable<readonly [string, D]>;
  /**
   * Resolves when all of the change is on the disk; concurrent changes share one fdatasync. After the first
   * failed write every call throws `read_only`.
   */
  write(change: DocumentChange<D>): Promise<void>;
}

/**
 * Opens `<folder>/<name>.db`. Never throws for what it finds there: what cannot be trusted is reported, the file
 * is left as it is, and the documents that are intact can be read.
 */
export async function openDocuments<D>(options: DocumentOptions<D>): Promise<Documents<D>> {
  const file = path.join(options.folder, `${options.kind.name}.db`);
  const found = await inspect(file, options);
  if (found.blocked !== null) options.report(found.blocked);
  const store = new DocumentStore(file, options);
  store.fill(found.versions);
  if (found.blocked === null) await store.openForWriting(found);
  return store;
}

interface Found<D> {
  /** The newest version of each document. */
  readonly versions: ReadonlyMap<string, StoredVersion<D>>;
  readonly supersededIds: readonly string[];
  /** Why the file must not be written to. */
  readonly blocked: StoreIssue | null;
}

async function inspect<D>(file: string, options: DocumentOptions<D>): Promise<Found<D>> {
  const { kind } = options;
  let content: Buffer;
  try {
    await settleRewrite(file);
    content = await readFile(file).catch(nothingWhereAbsent);
  } catch (error) {
    const message = `${file} cannot be read: ${messageOf(error)}`;
    return { versions: new Map(), supersededIds: [], blocked: damaged(kind.name, message) };
  }
  const { records, damage } = readLines(content);
  const { newest: versions, supersededIds, problem } = readVersions(kind, records);
  const blockedBy = (blocked: StoreIssue): Found<D> => ({ versions, supersededIds, blocked });
  if (damage?.kind === "inside") {
    const message = `${file} is damaged: ${damage.lineCount} line(s) fail their checksum, the first at byte ${damage.offsetBytes}`;
    return blockedBy(damaged(kind.name, message));
  }
  if (problem?.code === "store_newer") return blockedBy(newer(kind.name, `${file} was ${problem.message}`));
  if (problem !== null) return blockedBy(damaged(kind.name, `${file}: ${problem.message}`));
  try {
    if (damage !== null) options.report(await cutTail(file, damage.offsetBytes, options));
    const neededBytes = bytesNeededToRewrite(content.length);
    if ((await freeBytes(options.folder)) < neededBytes) {
      throw new Error(`opening it for writing needs ${neededBytes} free bytes on its disk`);
    }
  } catch (error) {
    return blockedBy(readOnly(kind.name, `${file} is read-only: ${messageOf(error)}`, "warn"));
  }
  return { versions, supersededIds, blocked: null };
}

async function cutTail<D>(
  file: string,
  offsetBytes: number,
  options: DocumentOptions<D>,
): Promise<StoreIssue> {
  const copy = await keepDamagedCopy(file, options.now());
  await truncate(file, offsetBytes);
  await syncFile(file);
  return {
    store: options.kind.name,
    severity: "warn",
    code: "store_damaged",
    message: `${file} ended in an unfinished write: cut off at byte ${offsetBytes}, the file as it was is ${copy}`,
    remedy: "Nothing has to be done; delete the copy when you do not need it.",
  };
}

function damaged(store: string, message: string): StoreIssue {
  const remedy =
    "The file was left as it is. Restore it from a backup, or move it away to start with an empty one.";
  return { store, severity: "fatal", code: "store_damaged", message, remedy };
}

function newer(store: string, message: string): StoreIssue {
  const remedy = "Install the version of tomekeeper that wrote it, or a newer one.";
  return { store, severity: "fatal", code: "store_newer", message, remedy };
}

function readOnly(store: string, message: string, severity: StoreIssue["severity"]): StoreIssue {
  return {
    store,
    severity,
    code: "read_only",
    message,
    remedy: "Free space or repair the disk, then restart.",
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
/**
 * `<file>~` is the copy that NeDB was writing when it stopped. The file itself is replaced by a rename only, so
 * beside it the copy is worthless; alone it must not be taken for the data, which NeDB would do.
 */
async function settleRewrite(file: string): Promise<void> {
  const copy = `${file}~`;
  if ((await stat(copy).catch(absent)) === null) return;
  if ((await stat(file).catch(absent)) !== null) {
    await rm(copy);
    return;
  }
  const { damage } = readLines(await readFile(copy));
  if (damage !== null) throw new Error(`it is missing, and ${copy}, which stands in its place, is damaged`);
  await rename(copy, file);
  await syncFolder(path.dirname(file));
}

function absent(error: unknown): null {
  if (systemCode(error) === "ENOENT") return null;
  throw error;
}

function nothingWhereAbsent(error: unknown): Buffer {
  absent(error);
  return Buffer.alloc(0);
}

/** So many share one fdatasync: NeDB takes them in one go, for some 10 to 20 ms in which nothing else runs. */
const changesAtOnce = 200;

interface PendingChange<D> {
  readonly change: DocumentChange<D>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

class DocumentStore<D> implements Documents<D> {
  readonly #path: string;
  readonly #options: DocumentOptions<D>;
  readonly #newest = new Map<string, StoredVersion<D>>();
  #pending: PendingChange<D>[] = [];
  #writing: Promise<void> | null = null;
  #nextVersion = 1;
  #file: DocumentFile | null = null;
  #failure: AppError;
  #isOpened = false;
  #hasFailed = false;

  constructor(file: string, options: DocumentOptions<D>) {
    this.#path = file;
    this.#options = options;
    this.#failure = new AppError("read_only", `${file} is not open for writing; see the diagnostics`);
  }

  get readOnly(): boolean {
    return this.#file === null;
  }

  fill(versions: ReadonlyMap<string, StoredVersion<D>>): void {
    for (const [key, stored] of versions) {
      this.#newest.set(key, stored);
      this.#nextVersion = Math.max(this.#nextVersion, stored.version + 1);
      this.#options.changed?.(key, null, stored.document);
    }
  }

  /** Writes migrated documents back and removes what a crash left of older versions. */
  async openForWriting(found: Found<D>): Promise<void> {
    try {
      const documentCount = found.versions.size + found.supersededIds.length;
      this.#file = await DocumentFile.open(this.#path, documentCount);
      if (found.supersededIds.length > 0) await this.#file.append([], found.supersededIds);
      const migrated = [...found.versions].filter(([, stored]) => stored.migrated);
      const puts = new Map(migrated.map(([key, stored]) => [key, stored.document]));
      if (puts.size > 0) await this.write({ puts });
      this.#isOpened = true;
    } catch (error) {
      await this.#stopWriting(error);
    }
  }

  get(key: string): D | null {
    return this.#newest.get(key)?.document ?? null;
  }

  *entries(): Iterable<readonly [string, D]> {
    for (const [key, stored] of this.#newest) yield [key, stored.document];
  }

  write(change: DocumentChange<D>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#file === null) {
        reject(this.#failure);
        return;
      }
      this.#pending.push({ change, resolve, reject });
      this.#writing ??= this.#writePending();
    });
  }

  async verify(): Promise<void> {
    await this.#writing;
    const { damage } = readLines(await readFile(this.#path).catch(nothingWhereAbsent));
    if (damage === null) return;
    throw new AppError("store_damaged", `${this.#path} is damaged at byte ${damage.offsetBytes}`);
  }

  async close(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #writePending(): Promise<void> {
    // A turn of the event loop gathers what is asked for at the same time.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#pending.length > 0) {
      const batch = this.#pending.splice(0, changesAtOnce);
      try {
        await this.#writeBatch(batch.map((pending) => pending.change));
        for (const pending of batch) pending.resolve();
        await this.#file?.compact();
      } catch (error) {
        await this.#stopWriting(error);
        for (const pending of [...batch, ...this.#pending]) pending.reject(this.#failure);
        this.#pending = [];
      }
    }
    this.#writing = null;
  }

  async #writeBatch(changes: readonly DocumentChange<D>[]): Promise<void> {
    const last = new Map<string, D | null>();
    for (const change of changes) {
      for (const key of change.removes ?? []) setLast(last, key, null);
      for (const [key, document] of change.puts ?? []) setLast(last, key, document);
    }
    const inserts: RawDocument[] = [];
    const removedIds: string[] = [];
    const applied = new Map<string, StoredVersion<D> | null>();
    for (const [key, document] of last) {
      const before = this.#newest.get(key);
      if (before !== undefined) removedIds.push(before.id);
      if (document === null) {
        applied.set(key, null);
        continue;
      }
      const raw = toRaw(this.#options.kind, key, this.#nextVersion, document);
      applied.set(key, { id: raw._id, version: this.#nextVersion, document, migrated: false });
      this.#nextVersion++;
      inserts.push(raw);
    }
    if (inserts.length + removedIds.length > 0) await this.#file?.append(inserts, removedIds);
    for (const [key, stored] of applied) this.#apply(key, stored);
  }

  #apply(key: string, stored: StoredVersion<D> | null): void {
    const before = this.#newest.get(key)?.document ?? null;
    if (stored === null) this.#newest.delete(key);
    else this.#newest.set(key, stored);
    this.#options.changed?.(key, before, stored?.document ?? null);
  }

  async #stopWriting(error: unknown): Promise<void> {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const message = messageOf(error);
    this.#failure = error instanceof AppError ? error : new AppError("read_only", message, { cause: error });
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {
      // The failure that ends the writing is reported; that closing fails after it says nothing new.
    });
    this.#options.report(readOnly(this.#options.kind.name, message, this.#isOpened ? "fatal" : "warn"));
  }
}

/** Later changes of a key replace earlier ones, in the order of the last of them. */
function setLast<D>(last: Map<string, D | null>, key: string, document: D | null): void {
  last.delete(key);
  last.set(key, document);
}
