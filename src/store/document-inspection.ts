import { readFile, rm, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { systemCode } from "../errors.ts";
import { bytesNeededToRewrite } from "./document-file.ts";
import { type DocumentKind, readVersions, type StoredVersion } from "./document-versions.ts";
import { freeBytes, isOutOfSpace, keepDamagedCopy, syncFile } from "./durable.ts";
import { type FileReading, readLines } from "./lines.ts";
import type { StoreIssue } from "./ports.ts";

interface InspectionOptions {
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
}

export interface Found<D> {
  /** The newest version of each document. */
  readonly versions: ReadonlyMap<string, StoredVersion<D>>;
  readonly supersededIds: readonly string[];
  /** Why the file must not be written to. */
  readonly blocked: StoreIssue | null;
}

/**
 * Reads a document file before NeDB does, which would drop or rewrite what it does not understand. Only the torn
 * end of an unfinished write is cut off, after a copy was kept; whatever else is wrong blocks the file.
 */
export async function inspect<D>(
  file: string,
  kind: DocumentKind<D>,
  options: InspectionOptions,
): Promise<Found<D>> {
  let content: Buffer | null;
  try {
    await settleRewrite(file);
    content = await readDocumentFile(file);
  } catch (error) {
    const message = `${file} cannot be read: ${messageOf(error)}`;
    return { versions: new Map(), supersededIds: [], blocked: damaged(kind.name, message) };
  }
  const { records, damage } = content === null ? nothingYet : readLines(content);
  const { newest: versions, supersededIds, problem } = readVersions(kind, records);
  const blockedBy = (blocked: StoreIssue): Found<D> => ({ versions, supersededIds, blocked });
  if (damage?.kind === "inside") {
    const what =
      records.length === 0
        ? "no line of it is intact"
        : `${damage.lineCount} line(s) fail their checksum, the first at byte ${damage.offsetBytes}`;
    return blockedBy(damaged(kind.name, `${file} is damaged: ${what}`));
  }
  if (problem?.code === "store_newer") return blockedBy(newer(kind.name, `${file} was ${problem.message}`));
  if (problem !== null) return blockedBy(damaged(kind.name, `${file}: ${problem.message}`));
  try {
    if (damage !== null) options.report(await cutTail(kind.name, file, damage.offsetBytes, options.now()));
    const neededBytes = bytesNeededToRewrite(content?.length ?? 0);
    if ((await freeBytes(path.dirname(file))) >= neededBytes)
      return { versions, supersededIds, blocked: null };
    const message = `${file} is read-only: to be written it needs ${neededBytes} free bytes on its disk`;
    return blockedBy(notWritable(kind.name, message, { severity: "warn", isDiskFull: true }));
  } catch (error) {
    const message = `${file} is read-only: ${messageOf(error)}`;
    const isDiskFull = isOutOfSpace(error);
    return blockedBy(notWritable(kind.name, message, { severity: "warn", isDiskFull }));
  }
}

const nothingYet: FileReading = { records: [], damage: null };

/** The content of a document file; null where there is none. */
export async function readDocumentFile(file: string): Promise<Buffer | null> {
  return await readFile(file).catch(absent);
}

async function cutTail(store: string, file: string, offsetBytes: number, now: Date): Promise<StoreIssue> {
  const copy = await keepDamagedCopy(file, now);
  await truncate(file, offsetBytes);
  await syncFile(file);
  return {
    store,
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

export function notWritable(
  store: string,
  message: string,
  { severity, isDiskFull }: { readonly severity: StoreIssue["severity"]; readonly isDiskFull: boolean },
): StoreIssue {
  if (isDiskFull) {
    return { store, severity, code: "disk_full", message, remedy: "Free space: it goes on by itself then." };
  }
  const remedy = "Free space or repair the disk, then restart.";
  return { store, severity, code: "read_only", message, remedy };
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * `<file>~` is the copy that NeDB was writing when it stopped. The file itself is replaced by a rename only, so
 * beside it the copy is worthless; alone it may be a part of the data and must not be taken for all of it, which
 * NeDB would do.
 */
async function settleRewrite(file: string): Promise<void> {
  const copy = `${file}~`;
  if ((await stat(copy).catch(absent)) === null) return;
  if ((await stat(file).catch(absent)) !== null) {
    await rm(copy);
    return;
  }
  throw new Error(`it is missing; what was left of a rewriting of it is ${copy}`);
}

function absent(error: unknown): null {
  if (systemCode(error) === "ENOENT") return null;
  throw error;
}
