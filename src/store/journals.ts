import { mkdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { BatchBegun, BatchRecord, JournalRecord } from "../domain/journal.ts";
import { AppError, systemCode } from "../errors.ts";
import { syncFolder } from "../files/sync.ts";
import { type Documents, openDocuments, type StoreFile, type StoreFileOptions } from "./documents.ts";
import { JournalFile, readJournal } from "./journal-file.ts";
import { batchOf, endedProblem, inspectJournals, journalEnding } from "./journal-inspection.ts";
import { batchDocuments, parseRecords } from "./journal-records.ts";
import type { Journal, JournalStore } from "./ports.ts";

/**
 * Opens the journals: one append-only file per batch in `<data>/journals`, and an index of the batches in NeDB that
 * is made again from the files where it lacks one.
 */
export async function openJournals(options: StoreFileOptions): Promise<JournalStore & StoreFile> {
  const batches = new Map<string, BatchRecord>();
  const changed = (key: string, _before: BatchRecord | null, after: BatchRecord | null): void => {
    if (after === null) batches.delete(key);
    else batches.set(key, after);
  };
  const documents = await openDocuments({ ...options, kind: batchDocuments, changed });
  const folder = path.join(options.folder, "journals");
  const store = new Journals(folder, documents, batches);
  const { issues, unknown } = await inspectJournals(folder, [...batches.values()], options.now());
  for (const issue of issues) options.report(issue);
  if (!documents.readOnly) await store.adopt(unknown);
  return store;
}

class Journals implements JournalStore, StoreFile {
  readonly #folder: string;
  readonly #documents: Documents<BatchRecord>;
  readonly #batches: ReadonlyMap<string, BatchRecord>;

  constructor(folder: string, documents: Documents<BatchRecord>, batches: ReadonlyMap<string, BatchRecord>) {
    this.#folder = folder;
    this.#documents = documents;
    this.#batches = batches;
  }

  get readOnly(): boolean {
    return this.#documents.readOnly;
  }

  async adopt(batches: readonly BatchRecord[]): Promise<void> {
    for (const batch of batches) await this.put(batch);
  }

  async begin(begun: BatchBegun, records: readonly JournalRecord[]): Promise<Journal> {
    const id = begun.operationId;
    const file = this.#fileOf(id);
    const all = [begun, ...records];
    const batch = batchOf(all, 0);
    if (batch === null) throw new AppError("internal", `the batch ${id} does not begin as one`);
    const before = this.#batches.get(id);
    if (before !== undefined && before.state !== "rolled_back") {
      throw new AppError("conflict", `the operation ${id} has a batch already`);
    }
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.put(batch);
    // What was rolled back has nothing to be undone by.
    await rm(file, { force: true });
    return new OpenJournal(await JournalFile.create(file, all), all);
  }

  async resume(id: string): Promise<Journal | null> {
    const file = this.#fileOf(id);
    const content = await readFile(file).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return null;
      throw error;
    });
    if (content === null) return null;
    const reading = readJournal(content);
    const { records, damage } = reading;
    if (damage?.kind === "inside") throw damagedJournal(file, `it is damaged at byte ${damage.offsetBytes}`);
    return new OpenJournal(await JournalFile.reopen(file, reading), [...parseRecords(records)]);
  }

  async read(id: string): Promise<readonly JournalRecord[]> {
    const batch = this.#batches.get(id);
    if (batch === undefined) {
      throw new AppError("not_found", `No batch ${id} is known: it never was, or its journal has expired`, {
        details: { operation_id: id },
      });
    }
    const file = this.#fileOf(id);
    const content = await readFile(file);
    const reading = readJournal(content);
    const wrong = endedProblem(reading, content.length, batch);
    if (wrong !== null) throw damagedJournal(file, wrong);
    return parseRecords(reading.records);
  }

  batch(id: string): BatchRecord | null {
    return this.#batches.get(id) ?? null;
  }

  async sizeOf(id: string): Promise<number> {
    const stats = await stat(this.#fileOf(id)).catch((error: unknown) => {
      if (systemCode(error) === "ENOENT") return null;
      throw error;
    });
    return stats?.size ?? 0;
  }

  batches(): readonly BatchRecord[] {
    // Of two that began in one millisecond the one that is known later is the newer.
    const latestFirst = [...this.#batches.values()].reverse();
    return latestFirst.sort((a, b) => Date.parse(b.startedAt) - Date.parse(a.startedAt));
  }

  async put(batch: BatchRecord): Promise<void> {
    await this.#documents.write({ puts: new Map([[batch.operationId, batch]]) });
  }

  async remove(id: string): Promise<void> {
    // The file first: a file without an entry would be taken up again.
    await rm(this.#fileOf(id), { force: true });
    await syncFolder(this.#folder);
    await this.#documents.write({ removes: [id] });
  }

  reopen(): Promise<void> {
    return this.#documents.reopen();
  }

  async verify(): Promise<void> {
    await this.#documents.verify();
    for (const batch of this.#batches.values())
      if (batch.state !== "open") await this.read(batch.operationId);
  }

  close(): Promise<void> {
    return this.#documents.close();
  }

  /** An operation's id is a UUID of ours; whatever else came here must not name a file elsewhere. */
  #fileOf(id: string): string {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id))
      throw new AppError("not_found", `"${id}" is not the id of a batch`);
    return path.join(this.#folder, `${id}${journalEnding}`);
  }
}

class OpenJournal implements Journal {
  readonly #file: JournalFile;
  readonly #records: JournalRecord[];

  constructor(file: JournalFile, records: JournalRecord[]) {
    this.#file = file;
    this.#records = records;
  }

  get records(): readonly JournalRecord[] {
    return this.#records;
  }

  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  async append(...records: readonly JournalRecord[]): Promise<void> {
    await this.#file.append(records);
    this.#records.push(...records);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function damagedJournal(file: string, what: string): AppError {
  return new AppError(
    "store_damaged",
    `the journal ${file} cannot be trusted: ${what}. Restore it from a backup.`,
  );
}
