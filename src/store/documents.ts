import path from "node:path";
import { AppError } from "../errors.ts";
import { type DocumentChange, planBatch } from "./document-batch.ts";
import { DocumentFile } from "./document-file.ts";
import { type Found, inspect, messageOf, notWritable, readDocumentFile } from "./document-inspection.ts";
import type { DocumentKind, StoredVersion } from "./document-versions.ts";
import { isOutOfSpace } from "./durable.ts";
import { readLines } from "./lines.ts";
import type { StoreIssue } from "./ports.ts";

/** Told of every document at loading and of every change once it is durable; `null` where there is none. */
type DocumentListener<D> = (key: string, before: D | null, after: D | null) => void;

export interface DocumentOptions<D> {
  readonly folder: string;
  readonly kind: DocumentKind<D>;
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
  /** Told of an issue that was reported and is over. */
  readonly withdraw: (issue: StoreIssue) => void;
  readonly changed?: DocumentListener<D>;
}

/** What each document store offers beside its port. */
export interface StoreFile {
  readonly readOnly: boolean;
  /** Where a full disk made it read-only: looks whether there is space, as the next write would. Never rejects. */
  reopen(): Promise<void>;
  /** Throws `store_damaged` where the file is not what was written. */
  verify(): Promise<void>;
  /** Ends what is being written, then closes the file. */
  close(): Promise<void>;
}

/** How `openStore` opens a document store. */
export type StoreFileOptions = Pick<DocumentOptions<never>, "folder" | "now" | "report" | "withdraw">;

/**
 * A durable map from keys to documents. Reads show what is durable, never what is still being written.
 */
export interface Documents<D> extends StoreFile {
  get(key: string): D | null;
  keys(): Iterable<string>;
  /**
   * Resolves when all of the change is on the disk; concurrent changes share one fdatasync. After the first
   * failed write every call throws `read_only`. Where only the disk was full it is retryable, and once in a second
   * a call looks whether there is space again: the file is inspected as at a start, and written again if it still
   * holds exactly what was acknowledged.
   */
  write(change: DocumentChange<D>): Promise<void>;
}

/**
 * Opens `<folder>/<name>.db`. Never throws for what it finds there: what cannot be trusted is reported, the file
 * is left as it is, and the documents that are intact can be read.
 */
export async function openDocuments<D>(options: DocumentOptions<D>): Promise<Documents<D>> {
  const file = path.join(options.folder, `${options.kind.name}.db`);
  const store = new DocumentStore(file, options);
  await store.load();
  return store;
}

/** So many share one fdatasync: NeDB takes them in one go, for some 10 to 20 ms in which nothing else runs. */
const changesAtOnce = 200;
/** Looking for space reads the whole file. */
const retryAfterMs = 1000;

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
  /** Why it is not open for writing, as it is told to callers and as it was reported. */
  #failure: AppError;
  #issue: StoreIssue | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #wasOpen = false;
  #isClosed = false;

  constructor(file: string, options: DocumentOptions<D>) {
    this.#path = file;
    this.#options = options;
    this.#failure = notOpen(file);
  }

  get readOnly(): boolean {
    return this.#file === null;
  }

  async load(): Promise<void> {
    const found = await inspect(this.#path, this.#options.kind, this.#options);
    for (const [key, stored] of found.versions) {
      this.#newest.set(key, stored);
      this.#nextVersion = Math.max(this.#nextVersion, stored.version + 1);
      this.#options.changed?.(key, null, stored.document);
    }
    await this.#open(found).catch((error: unknown) => this.#stopWriting(error));
  }

  get(key: string): D | null {
    return this.#newest.get(key)?.document ?? null;
  }

  keys(): Iterable<string> {
    return this.#newest.keys();
  }

  write(change: DocumentChange<D>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#file === null && this.#writing === null && !this.#mayLookAgain()) {
        reject(this.#failure);
        return;
      }
      this.#pending.push({ change, resolve, reject });
      this.#writing ??= this.#writePending();
    });
  }

  async reopen(): Promise<void> {
    if (this.#file === null) await this.write({}).catch(isReported);
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
    this.#isClosed = true;
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
        if (this.#file === null) await this.#openAgain();
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

  #mayLookAgain(): boolean {
    const sinceMs = Math.abs(this.#options.now().getTime() - this.#lookedMs);
    return this.#issue?.code === "disk_full" && !this.#isClosed && sinceMs >= retryAfterMs;
  }

  async #openAgain(): Promise<void> {
    const found = await inspect(this.#path, this.#options.kind, this.#options);
    const isAsItWas =
      found.versions.size === this.#newest.size &&
      [...found.versions].every(([key, { id }]) => this.#newest.get(key)?.id === id);
    if (found.blocked === null && !isAsItWas) {
      throw new AppError("read_only", `${this.#path} is not what was written to it`);
    }
    await this.#open(found);
  }

  /** Also writes migrated documents back and removes what a crash left of older versions. */
  async #open({ versions, supersededIds, blocked }: Found<D>): Promise<void> {
    if (blocked !== null) throw this.#block(blocked);
    this.#file = await DocumentFile.open(this.#path, versions.size + supersededIds.length);
    if (supersededIds.length > 0) await this.#file.append([], supersededIds);
    const migrated = [...versions].filter(([, stored]) => stored.migrated);
    await this.#writeBatch([{ puts: new Map(migrated.map(([key, { document }]) => [key, document])) }]);
    this.#wasOpen = true;
    if (this.#issue !== null) this.#options.withdraw(this.#issue);
    this.#issue = null;
    this.#failure = notOpen(this.#path);
  }

  async #writeBatch(changes: readonly DocumentChange<D>[]): Promise<void> {
    const { inserts, removedIds, applied } = planBatch(
      this.#options.kind,
      changes,
      this.#newest,
      this.#nextVersion,
    );
    this.#nextVersion += inserts.length;
    if (inserts.length + removedIds.length > 0) await this.#file?.append(inserts, removedIds);
    for (const [key, stored] of applied) this.#apply(key, stored);
  }

  #apply(key: string, stored: StoredVersion<D> | null): void {
    const before = this.#newest.get(key)?.document ?? null;
    if (stored === null) this.#newest.delete(key);
    else this.#newest.set(key, stored);
    this.#options.changed?.(key, before, stored?.document ?? null);
  }

  /** Closes the file, and leaves in `#failure` why. */
  async #stopWriting(error: unknown): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close().catch(() => {
      // The failure that ends the writing is reported; that closing fails after it says nothing new.
    });
    if (error === this.#failure) return;
    const isDiskFull = error instanceof AppError ? error.retryable : isOutOfSpace(error);
    const severity = this.#wasOpen ? "fatal" : "warn";
    this.#block(notWritable(this.#options.kind.name, messageOf(error), { severity, isDiskFull }), error);
  }

  /** Why nothing is written from now on; reported, unless it is only still so. */
  #block(issue: StoreIssue, cause?: unknown): AppError {
    this.#lookedMs = this.#options.now().getTime();
    const isDiskFull = issue.code === "disk_full";
    if (isDiskFull && this.#issue?.code === "disk_full") return this.#failure;
    if (this.#issue !== null) this.#options.withdraw(this.#issue);
    this.#issue = issue;
    const message = `${issue.message}. ${issue.remedy}`;
    this.#failure = new AppError("read_only", message, { cause, retryable: isDiskFull });
    this.#options.report(issue);
    return this.#failure;
  }
}

function notOpen(file: string): AppError {
  return new AppError("read_only", `${file} is not open for writing`);
}
