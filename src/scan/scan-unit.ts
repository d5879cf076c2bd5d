import type { BookDraft } from "../domain/book.ts";
import type { UnitEntry } from "../domain/catalogue.ts";
import { kindOf } from "../domain/file-kinds.ts";
import type { FileEntry, ScanProblem, ScanUnit, TrackResult } from "../domain/scan.ts";
import type { Drafts, UnitContent } from "./draft.ts";
import type { Sidecars } from "./sidecar.ts";
import { isSameFile } from "./signature.ts";
import { joinPath } from "./walk-place.ts";

/** Reads the tags of some files of one folder; answers in their order. Rejects with `disk_lost`, or when aborted. */
export type ReadTracks = (
  folderPath: string,
  names: readonly string[],
  signal: AbortSignal,
) => Promise<readonly TrackResult[]>;

export type ReadSidecars = (rootPath: string, unit: ScanUnit) => Promise<Sidecars>;

export type BuildDrafts = (content: UnitContent) => Drafts;

export interface UnitReaders {
  readonly rootId: string;
  readonly rootPath: string;
  readonly readTracks: ReadTracks;
  readonly readSidecars: ReadSidecars;
  readonly buildDrafts: BuildDrafts;
  readonly signal: AbortSignal;
}

/** A unit that was read, with the books it makes. */
export interface ReadUnit {
  readonly entries: readonly UnitEntry[];
  /** Null where the rules failed on it: then it stays as it is stored. */
  readonly drafts: readonly BookDraft[] | null;
  readonly problems: readonly ScanProblem[];
  readonly filesRead: number;
}

/**
 * Reads what has to be read of a unit. `known` are its files as they were read before: those whose size and
 * mtime are the same are not read again, unless what went wrong with them may be right by now.
 */
export async function readUnit(
  readers: UnitReaders,
  unit: ScanUnit,
  known: readonly UnitEntry[],
): Promise<ReadUnit> {
  const results = knownResults(unit.files, known);
  const names = audioFilesOf(unit).filter((name) => !results.has(name));
  const folderPath = joinPath(readers.rootPath, unit.path);
  const read = names.length === 0 ? [] : await readers.readTracks(folderPath, names, readers.signal);
  for (const [index, name] of names.entries()) {
    const result = read[index];
    if (result !== undefined) results.set(name, result);
  }
  const { sidecars, problems, own } = await readers.readSidecars(readers.rootPath, unit);
  const others = own.length === 0 ? unit.files : unit.files.filter(({ name }) => !own.includes(name));
  const content = { rootId: readers.rootId, unit: { ...unit, files: others }, results, sidecars };
  const built = draftsOf(readers, content);
  return {
    entries: unit.files.map((file) => ({ file, result: results.get(file.name) ?? null })),
    drafts: built.drafts,
    problems: [...built.problems, ...problems],
    filesRead: names.length,
  };
}

/** One folder on which the rules fail must not keep the scan from all that come behind it, every time. */
function draftsOf(
  { buildDrafts }: UnitReaders,
  content: UnitContent,
): { readonly drafts: Drafts["drafts"] | null; readonly problems: readonly ScanProblem[] } {
  try {
    return buildDrafts(content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const message = `Its books could not be made out (${reason}); please report this`;
    return { drafts: null, problems: [{ path: content.unit.path, code: "unreadable_folder", message }] };
  }
}

export function audioFilesOf(unit: Pick<ScanUnit, "files">): string[] {
  return unit.files.map((file) => file.name).filter((name) => kindOf(name) === "audio");
}

function knownResults(files: readonly FileEntry[], known: readonly UnitEntry[]): Map<string, TrackResult> {
  const byName = new Map(known.map((entry) => [entry.file.name, entry]));
  const results = new Map<string, TrackResult>();
  for (const file of files) {
    const entry = byName.get(file.name);
    if (entry === undefined || entry.result === null || !isSameFile(entry.file, file)) continue;
    if (!mayPass(entry.result)) results.set(file.name, entry.result);
  }
  return results;
}

/** A permission or a slow disk may be right next time without the file having changed; damage is not. */
function mayPass(result: TrackResult): boolean {
  return !result.ok && result.code !== "unreadable_audio" && result.code !== "not_a_file";
}
