import path from "node:path";
import { AppError } from "../errors.ts";
import { DocumentFile, type RawDocument } from "./document-file.ts";
import { type Found, inspect, messageOf, readDocumentFile, readOnlyIssue } from "./document-inspection.ts";
import { type DocumentKind, type StoredVersion, toRaw } from "./document-versions.ts";
import { readLines } from "./lines.ts";
import type { StoreIssue } from "./ports.ts";

/** Told of every document at loading and of every change once it is durable; `null` where there is none. */
type DocumentListener<D> = (key: string, before: D | null, after: D | null) => void;

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

interface DocumentChange<D> {
  readonly puts?: ReadonlyMap<string, D>;
  readonly removes?: Iterable<string>;
}

/**
 * A durable map from keys to documents. Reads show what is durable, never what is still being written.
 */
export interface Documents<D> extends StoreFile {
  get(key: string): D | null;
  keys(): Iterable<string>;
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
  const found = await inspect(file, options.kind, options);
  if (found.blocked !== null) options.report(found.blocked);
  const store = new DocumentStore(file, options);
  store.fill(found.versions);
  if (found.blocked === null) await store.openForWriting(found);
  return store;
}

/** So many share one fdatasync: NeDB takes them in one go, for some 10 to 20 ms in which nothing else runs. */
const changesAtOnce = 200;

/** For a write that is nobody's request: that it failed is an issue already, and the store read-only. */
export function isReported(): void {}

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

  keys(): Iterable<string> {
    return this.#newest.keys();
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
    const content = await readDocumentFile(this.#path);
    if (content === null) {
      if (this.#file === null) return;
      throw new AppError("store_damaged", `${this.#path} is gone, although it is open`);
    }
    const { damage } = readLines(content);
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
    this.#options.report(readOnlyIssue(this.#options.kind.name, message, this.#isOpened ? "fatal" : "warn"));
  }
}

/** Later changes of a key replace earlier ones, in the order of the last of them. */
function setLast<D>(last: Map<string, D | null>, key: string, document: D | null): void {
  last.delete(key);
  last.set(key, document);
}
