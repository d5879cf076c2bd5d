import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import path from "node:path";
import type { BookFields, Chapter } from "../domain/book.ts";
import type { FileEntry, ScanProblem, ScanUnit } from "../domain/scan.ts";
import { isOwnSidecar } from "../domain/seal.ts";
import { AppError, systemCode } from "../errors.ts";
import type { Sidecar } from "./draft.ts";
import { readMetadataJson } from "./sidecar-json.ts";
import { type SidecarSource, sidecarSourceOf } from "./sidecar-names.ts";
import { decodeText, readTextSidecar } from "./sidecar-text.ts";

export interface Sidecars {
  readonly sidecars: readonly Sidecar[];
  readonly problems: readonly ScanProblem[];
  /** Names of those that we have written ourselves: they say nothing, and are nobody's files. */
  readonly own: readonly string[];
}

/** More than any sidecar a program writes; read whole into memory, so it must be small. */
const maxSidecarBytes = 1024 * 1024;
const readsInFlight = 8;

/**
 * Reads the sidecars of a unit, `rootPath` being the absolute path of its root. One that cannot be read or
 * understood is a problem and says nothing. Throws `disk_lost` (retryable) where the disk itself is gone.
 */
export async function readSidecars(rootPath: string, unit: ScanUnit): Promise<Sidecars> {
  const wanted: { readonly file: FileEntry; readonly source: SidecarSource }[] = [];
  for (const file of unit.files) {
    const source = sidecarSourceOf(file.name);
    if (source !== null && file.sizeBytes > 0) wanted.push({ file, source });
  }
  const sidecars: Sidecar[] = [];
  const problems: ScanProblem[] = [];
  const own: string[] = [];
  for (let i = 0; i < wanted.length; i += readsInFlight) {
    const batch = wanted.slice(i, i + readsInFlight);
    const read = await Promise.all(
      batch.map(({ file, source }) => readSidecar(rootPath, unit, file, source)),
    );
    for (const [index, one] of read.entries()) {
      const name = batch[index]?.file.name;
      if (one.isOwn && name !== undefined) own.push(name);
      if (one.sidecar !== null) sidecars.push(one.sidecar);
      if (one.problem !== null) problems.push(one.problem);
    }
  }
  return { sidecars, problems, own };
}

interface ReadOutcome {
  readonly sidecar: Sidecar | null;
  readonly problem: ScanProblem | null;
  readonly isOwn?: true;
}

async function readSidecar(
  rootPath: string,
  unit: ScanUnit,
  file: FileEntry,
  source: SidecarSource,
): Promise<ReadOutcome> {
  const relative = unit.path === "" ? file.name : `${unit.path}/${file.name}`;
  const problem = (message: string): ScanProblem => ({ path: relative, code: "unreadable_sidecar", message });
  let text: string;
  try {
    text = decodeText(await readSmallFile(path.join(rootPath, relative)));
  } catch (error) {
    return { sidecar: null, problem: problemOfRead(error, relative) };
  }
  if (isOwnSidecar(text)) return { sidecar: null, problem: null, isOwn: true };
  try {
    const { fields, chapters, ignoredKeys } = await parseSidecar(source, file.name, text);
    const ignored =
      ignoredKeys.length === 0 ? null : `Ignored, as of an unexpected type: ${ignoredKeys.join(", ")}.`;
    return {
      sidecar: { name: file.name, source, fields, chapters },
      problem: ignored === null ? null : problem(`${ignored} The other keys were read.`),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { sidecar: null, problem: problem(`Ignored: ${why}. Correct or remove the file.`) };
  }
}

/** What reads XML is loaded with the first file that holds some: it takes 8 MB. */
async function parseSidecar(
  source: SidecarSource,
  name: string,
  text: string,
): Promise<{
  readonly fields: BookFields;
  readonly chapters: readonly Chapter[];
  readonly ignoredKeys: readonly string[];
}> {
  switch (source) {
    case "nfo":
      return { fields: (await import("./sidecar-nfo.ts")).readNfo(text), chapters: [], ignoredKeys: [] };
    case "opf":
      return { fields: (await import("./sidecar-opf.ts")).readOpf(text), chapters: [], ignoredKeys: [] };
    case "text":
      return { fields: readTextSidecar(name, text), chapters: [], ignoredKeys: [] };
    case "metadata_json":
      return readMetadataJson(text);
  }
}

/** Without blocking on a pipe that took the file's place, and never more than the limit, however it grows. */
async function readSmallFile(absolute: string): Promise<Uint8Array> {
  const file = await open(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw new Error("it is no regular file");
    if (stat.size > maxSidecarBytes) throw new Error(`it has ${stat.size} bytes, more than 1 MiB`);
    return await readUpTo(file, maxSidecarBytes);
  } finally {
    await file.close();
  }
}

async function readUpTo(file: FileHandle, limit: number): Promise<Uint8Array> {
  const { size } = await file.stat();
  const bytes = new Uint8Array(Math.min(size, limit));
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

const diskLostCodes = new Set(["EIO", "ENOTCONN", "ESTALE", "ENODEV", "EMFILE", "ENFILE"]);

function problemOfRead(error: unknown, relative: string): ScanProblem {
  const code = systemCode(error);
  const why = error instanceof Error ? error.message : String(error);
  if (code !== null && diskLostCodes.has(code)) {
    throw new AppError(
      "disk_lost",
      `${relative} could not be read (${code}): check the disk and scan again.`,
      {
        cause: error,
        retryable: true,
      },
    );
  }
  if (code === "ENOENT" || code === "ENOTDIR") {
    return { path: relative, code: "vanished", message: "The file vanished while the scan was running." };
  }
  return { path: relative, code: "unreadable_sidecar", message: `The file could not be read: ${why}.` };
}
