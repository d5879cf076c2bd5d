import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { isEnded, type Operation } from "../domain/operation.ts";
import { AppError } from "../errors.ts";
import { syncFolder } from "../files/sync.ts";
import { openAnswers } from "./answers.ts";
import { type BreakerStore, openBreakers } from "./breakers.ts";
import { type CatalogueFile, openCatalogue } from "./catalogue.ts";
import { openCheckpoints } from "./checkpoints.ts";
import { openCommands } from "./commands.ts";
import { type CoverStore, createCovers } from "./covers.ts";
import { isReported, type StoreFile } from "./documents.ts";
import { openJournals } from "./journals.ts";
import { acquireLock, type DataLock } from "./lock.ts";
import { readNodeId } from "./node-id.ts";
import { openOperations } from "./operations.ts";
import { openPluginMemory, type PluginMemory } from "./plugin-memory.ts";
import type {
  AnswerStore,
  Catalogue,
  CheckpointStore,
  CommandStore,
  JournalStore,
  OperationStore,
  StoreIssue,
} from "./ports.ts";
import { openSettings, type SettingsStore } from "./settings.ts";

export interface Store {
  readonly operations: OperationStore;
  readonly checkpoints: CheckpointStore;
  readonly commands: CommandStore;
  readonly journals: JournalStore;
  readonly settings: SettingsStore;
  readonly breakers: BreakerStore;
  readonly answers: AnswerStore;
  readonly covers: CoverStore;
  readonly pluginMemory: PluginMemory;
  /** Where it could not be opened (see `issues`) every call throws why. */
  readonly catalogue: Catalogue;
  /** The UUID of this installation. */
  readonly nodeId: string;
  /** What is wrong now: more when a write fails later, less when a full disk has space again. */
  readonly issues: readonly StoreIssue[];
  /** True while any store refuses to be written. */
  readonly readOnly: boolean;
  /** Looks whether stores that a full disk made read-only can be written again, as their next write would. */
  reopen(): Promise<void>;
  /**
   * Forgets where scans could go on that will not: they have completed or were cancelled, or are no longer on
   * record. A failed one may be retried as long as its record is kept.
   */
  forgetEndedScans(): Promise<void>;
  /** Reads everything again, for `doctor`: takes a second or so per 100 MB and blocks meanwhile. */
  check(): Promise<readonly StoreIssue[]>;
  /** Ends what is being written, makes it durable and gives the data folder free. */
  close(): Promise<void>;
}

export interface OpenStoreOptions {
  /** Created where it does not exist. */
  readonly dataDir: string;
  readonly now: () => Date;
  /** Told of every issue as it appears, those at opening included. */
  readonly onIssue?: (issue: StoreIssue) => void;
  /** Told of every issue that is over. */
  readonly onIssueGone?: (issue: StoreIssue) => void;
}

/**
 * Opens all that is stored. Throws `lock_held` where another process has the folder, `fatal_diagnostic` where
 * it cannot be created or written; damage in one store is an issue, and the others work.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const releases: (() => Promise<void>)[] = [];
  try {
    return await openIn(options, releases);
  } catch (error) {
    await releaseAll(releases);
    throw error;
  }
}

/** Opens one thing after the other and leaves in `releases` how to close those that are open. */
async function openIn(options: OpenStoreOptions, releases: (() => Promise<void>)[]): Promise<Store> {
  const { dataDir, now } = options;
  const lock = await takeFolder(dataDir, now());
  releases.push(() => lock.release());
  const issues: StoreIssue[] = [];
  const report = (issue: StoreIssue): void => {
    issues.push(issue);
    options.onIssue?.(issue);
  };
  const withdraw = (issue: StoreIssue): void => {
    issues.splice(issues.indexOf(issue), 1);
    options.onIssueGone?.(issue);
  };
  const nodeId = await nodeIdOf(dataDir, report);
  const settings = await openSettings({ folder: dataDir, now, report });
  const breakers = await openBreakers({ folder: dataDir, now, report });
  const pluginMemory = await openPluginMemory({ folder: dataDir, now, report });
  const answers = await openAnswers(dataDir, now().getTime(), report);
  releases.push(async () => answers.close());
  const fileOptions = { folder: dataDir, now, report, withdraw };
  const operations = await openOperations(fileOptions);
  releases.push(() => operations.close());
  const checkpoints = await openCheckpoints(fileOptions);
  releases.push(() => checkpoints.close());
  const commands = await openCommands(fileOptions);
  releases.push(() => commands.close());
  const journals = await openJournals(fileOptions);
  releases.push(() => journals.close());
  const { catalogue, file: catalogueFile } = tryCatalogue(path.join(dataDir, "catalogue.db"), now, report);
  if (catalogueFile !== null) releases.push(() => catalogueFile.close());
  await syncFolder(dataDir);
  const files: Readonly<Record<string, StoreFile>> = { operations, checkpoints, commands, journals };
  return {
    operations,
    checkpoints,
    commands,
    journals,
    settings,
    breakers,
    answers,
    covers: createCovers(dataDir),
    pluginMemory,
    catalogue,
    nodeId,
    get issues() {
      return [...issues];
    },
    get readOnly() {
      return catalogueFile === null || Object.values(files).some((file) => file.readOnly);
    },
    reopen: async () => {
      for (const file of Object.values(files)) await file.reopen();
    },
    forgetEndedScans: async () => {
      // Where records are damaged, one that is not found may be there all the same.
      if (operations.readOnly || checkpoints.readOnly) return;
      await checkpoints.keepOnly((id) => mayGoOn(operations.get(id))).catch(isReported);
    },
    check: () => check(files, catalogueFile),
    close: () => releaseAll(releases),
  };
}

function mayGoOn(operation: Operation | null): boolean {
  return operation !== null && (!isEnded(operation.state) || operation.state === "failed");
}

async function takeFolder(dataDir: string, now: Date): Promise<DataLock> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
    return await acquireLock(dataDir, now);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const remedy = "Let this user write there, or name another folder (--data, data_dir).";
    throw new AppError(
      "fatal_diagnostic",
      `the data folder ${dataDir} cannot be used: ${reason}. ${remedy}`,
      {
        cause: error,
      },
    );
  }
}

/** In reverse order, all of them; throws the first failure when the others are released. */
async function releaseAll(releases: (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (let release = releases.pop(); release !== undefined; release = releases.pop()) {
    await release().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function nodeIdOf(dataDir: string, report: (issue: StoreIssue) => void): Promise<string> {
  try {
    return await readNodeId(dataDir);
  } catch (error) {
    const remedy = "Restore the file, or delete it: hubs then see a new device.";
    report(issueOf("node", error, remedy));
    return randomUUID();
  }
}

function tryCatalogue(
  file: string,
  now: () => Date,
  report: (issue: StoreIssue) => void,
): { readonly catalogue: Catalogue; readonly file: CatalogueFile | null } {
  try {
    const catalogue = openCatalogue(file, now);
    return { catalogue, file: catalogue };
  } catch (error) {
    report(issueOf("catalogue", error, catalogueRemedy));
    return { catalogue: unavailableCatalogue(error), file: null };
  }
}

const catalogueRemedy =
  "The file was left as it is. Restore it from a backup, or move it and its -wal file away and scan again " +
  "(corrections that users made are then lost).";

function issueOf(store: string, error: unknown, remedy: string): StoreIssue {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof AppError ? error.code : null;
  if (code === "store_newer") {
    return {
      store,
      severity: "fatal",
      code,
      message,
      remedy: "Install the version that wrote it, or a newer one.",
    };
  }
  if (code === "read_only") {
    return {
      store,
      severity: "fatal",
      code,
      message,
      remedy: "Free space or repair the disk, then restart.",
    };
  }
  return { store, severity: "fatal", code: "store_damaged", message, remedy };
}

/** Stands where the catalogue could not be opened: an empty one would look like an empty library. */
function unavailableCatalogue(reason: unknown): Catalogue {
  const refuse = (): never => {
    throw reason;
  };
  return {
    unitsAfter: refuse,
    unitEntries: refuse,
    unitBooks: refuse,
    booksByFingerprint: refuse,
    commit: refuse,
    originsOf: refuse,
    plannableBook: refuse,
    booksOfRoot: refuse,
    hasOtherBooks: refuse,
    relocate: refuse,
    placedFiles: refuse,
    markRotten: refuse,
    forgetPlaced: refuse,
    rottenFiles: refuse,
    verifyPosition: refuse,
    saveVerifyPosition: refuse,
    flush: async () => refuse(),
    committedBy: refuse,
    missingBy: refuse,
    scanEnded: refuse,
    query: refuse,
    newestBooks: refuse,
    seriesPlaces: refuse,
    totals: refuse,
    generation: refuse,
    book: refuse,
    historyOf: refuse,
    knownBooks: refuse,
    unitCount: refuse,
    setFields: refuse,
    clearFields: refuse,
    setMatch: refuse,
    configureRoots: refuse,
    setRootOnline: refuse,
  };
}

async function check(
  files: Readonly<Record<string, StoreFile>>,
  catalogue: CatalogueFile | null,
): Promise<readonly StoreIssue[]> {
  const found: StoreIssue[] = [];
  for (const [name, file] of Object.entries(files)) {
    await file.verify().catch((error: unknown) => {
      found.push(issueOf(name, error, "Stop the runner and restore the file from a backup."));
    });
  }
  try {
    catalogue?.verify();
  } catch (error) {
    found.push(issueOf("catalogue", error, catalogueRemedy));
  }
  return found;
}
