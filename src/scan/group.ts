import { isDiscFolder, kindOf } from "../domain/file-kinds.ts";
import { comparePaths } from "../domain/order.ts";
import type { FileEntry, FolderEntry, ScanUnit } from "../domain/scan.ts";

/** What has become certain with one more folder. */
interface UnitProgress {
  /** Units that are whole, in the walk's order of their paths. */
  readonly units: readonly ScanUnit[];
  /**
   * A walk may go on after this folder and lose nothing: every unit that began at or before it has been
   * yielded. Null while there is no such folder.
   */
  readonly doneUpTo: string | null;
}

/** Puts folders together to units. Takes them in the walk's order, gives units in that order. */
export interface UnitBuilder {
  push(folder: FolderEntry): UnitProgress;
  /** The units still held back; the stream has ended. */
  end(): readonly ScanUnit[];
}

interface Pending {
  readonly path: string;
  /** The folder that came before this one. */
  readonly before: string | null;
  readonly files: FileEntry[];
  /** How many disc folders were announced and have neither come nor been passed. */
  awaited: number;
  readonly hasOtherFolders: boolean;
}

/**
 * A folder with audio is a unit, together with its disc folders (and theirs: `Part 1/CD 2`). A unit is held
 * back until its last disc folder has come or been passed, and so is every unit that began after it: what is
 * held is at most what lies below one folder that has disc folders.
 *
 * The root is not a book's folder, so its disc folders are ordinary ones, unless it has no others: otherwise
 * a folder `Part 9` beside a thousand authors would hold all of them back.
 */
export function createUnitBuilder(): UnitBuilder {
  const held: Pending[] = [];
  const awaited = new Map<string, Pending>();
  let last: string | null = null;

  function add(folder: FolderEntry): void {
    const discs = discFoldersOf(folder);
    const owner = awaited.get(folder.path);
    if (owner === undefined) {
      const hasOtherFolders = discs.length < folder.folders.length;
      const unit = { path: folder.path, before: last, files: [...folder.files], awaited: 0, hasOtherFolders };
      held.push(unit);
      expect(unit, discs);
      return;
    }
    const prefix = owner.path === "" ? folder.path : folder.path.slice(owner.path.length + 1);
    for (const file of folder.files) owner.files.push({ ...file, name: `${prefix}/${file.name}` });
    expect(owner, discs);
    forget(folder.path, owner);
  }

  function expect(unit: Pending, discs: readonly string[]): void {
    for (const disc of discs) awaited.set(disc, unit);
    unit.awaited += discs.length;
  }

  function forget(disc: string, unit: Pending): void {
    awaited.delete(disc);
    unit.awaited--;
  }

  /** A disc folder that vanished or could not be listed never comes; a folder behind it tells. */
  function forgetPassed(path: string): void {
    for (const [disc, unit] of awaited) if (comparePaths(disc, path) < 0) forget(disc, unit);
  }

  function take(count: number): readonly ScanUnit[] {
    return held.splice(0, count).filter(hasAudio).map(toUnit);
  }

  return {
    push(folder) {
      forgetPassed(folder.path);
      add(folder);
      last = folder.path;
      const firstOpen = held.findIndex((unit) => unit.awaited > 0);
      const units = take(firstOpen === -1 ? held.length : firstOpen);
      const first = held[0];
      return { units, doneUpTo: first === undefined ? last : first.before };
    },
    end() {
      awaited.clear();
      return take(held.length);
    },
  };
}

/**
 * The folder whose unit this folder belongs to, as far as its path tells: itself, or the first folder above
 * its disc folders. A scan of one folder has to begin here to see the unit whole.
 */
export function unitPathOf(folderPath: string): string {
  let path = folderPath;
  while (path !== "") {
    const slash = path.lastIndexOf("/");
    if (!isDiscFolder(path.slice(slash + 1))) return path;
    path = slash === -1 ? "" : path.slice(0, slash);
  }
  return path;
}

function discFoldersOf(folder: FolderEntry): readonly string[] {
  const discs = folder.folders.filter(isDiscFolder);
  if (folder.path !== "") return discs.map((name) => `${folder.path}/${name}`);
  return discs.length === folder.folders.length ? discs : [];
}

function hasAudio(unit: Pending): boolean {
  return unit.files.some((file) => kindOf(file.name) === "audio");
}

function toUnit(unit: Pending): ScanUnit {
  return { path: unit.path, files: unit.files, hasOtherFolders: unit.hasOtherFolders };
}
