import { compareNames } from "../domain/order.ts";
import type { FileEntry, FolderEntry, ScanProblem } from "../domain/scan.ts";
import { type Listing, type ListingRules, listFolder } from "./walk-folder.ts";
import { isItsOwnAncestor, joinPath, type Place, placeBelow } from "./walk-place.ts";
import {
  diskLost,
  fileProblem,
  folderProblem,
  hidesContent,
  isDiskLost,
  rootUnavailable,
} from "./walk-problems.ts";

/** A folder as the walk yields it. */
export interface WalkedFolder extends FolderEntry {
  /** False where the folder, or a file in it, could not be looked at: what was there may be there still. */
  readonly isComplete: boolean;
  /** Folders (this one, or links in it) below which there may be more that cannot be seen now. */
  readonly hidden: readonly string[];
}

export interface AheadOptions extends ListingRules {
  /** Relative to the root. */
  readonly startPath: string;
  readonly startPlace: Place;
  /** The names that lead from the start to the folder after which the walk goes on; null: from the start. */
  readonly after: readonly string[] | null;
  /** Whether files are taken by their names alone. */
  readonly namesOnly: boolean;
  /** Calls to the file system in flight. */
  readonly concurrency: number;
  /** Folders listed ahead of the one that is yielded next. */
  readonly maxFolders: number;
  /** Once so many files are held, only the folder that is yielded next is still listed. */
  readonly maxFiles: number;
  readonly mountPoints: ReadonlySet<string>;
  /** Called when `take` has more to give, or would throw. */
  readonly onReady: () => void;
}

/** Reads folders ahead of who takes them, in any order, and gives them out in the walk's order. */
export interface ReadAhead {
  /** The next folders that are ready, in order, perhaps none yet; null at the end. Throws what stopped the walk. */
  take(): readonly WalkedFolder[] | null;
  stop(): void;
}

/** A folder that is known and not yet given out. */
interface Known {
  readonly path: string;
  readonly place: Place;
  readonly depth: number;
  /** Set for a folder at or above the one to go on after: the names from here to it. It was given out before. */
  readonly after: readonly string[] | null;
  state: "waiting" | "busy" | "ready";
  files: FileEntry[];
  problems: ScanProblem[];
  folders: readonly string[];
  hidden: readonly string[];
  isGivenOut: boolean;
  /** Files that have yet to be looked at. */
  openFiles: number;
  next: Link | null;
}

/** The sub-folders of a folder that nobody has needed yet: names only, so that a wide folder costs little. */
interface Rest {
  readonly above: Known;
  readonly names: readonly string[];
  readonly linked: ReadonlyMap<string, Place>;
  index: number;
  next: Link | null;
}

type Link = Known | Rest;

interface FileJob {
  readonly folder: Known;
  readonly names: readonly string[];
  index: number;
}

/** Below this a folder is compared with all above it even where no mount is known: no library is that deep. */
const suspiciousDepth = 40;

export function createReadAhead(options: AheadOptions): ReadAhead {
  /** Everything known, in the walk's order; what is given out leaves it at the front. */
  let head: Link | null = knownFolder(options.startPath, options.startPlace, 0, options.after);
  const fileJobs: FileJob[] = [];
  let inFlight = 0;
  let filesHeld = 0;
  let failure: unknown = null;
  let isStopped = false;
  let isPumping = false;

  /** A disk may answer before its call returns; then the loop goes on instead of going deeper. */
  function pump(): void {
    if (isPumping) return;
    isPumping = true;
    while (inFlight < options.concurrency && !isStopped && failure === null && startNext());
    isPumping = false;
  }

  function startNext(): boolean {
    const job = fileJobs[0];
    if (job !== undefined) {
      lookAtNextFile(job);
      return true;
    }
    const folder = nextToList();
    if (folder !== null) list(folder);
    return folder !== null;
  }

  /** The first folder that nobody lists yet, if it lies within the window. */
  function nextToList(): Known | null {
    let before: Known | null = null;
    for (let ahead = 0; ahead < options.maxFolders; ahead++) {
      const link: Link | null = before === null ? head : before.next;
      if (link === null) return null;
      const folder: Known = "names" in link ? takeFromRest(link, before) : link;
      if (folder.state === "waiting") return ahead === 0 || filesHeld < options.maxFiles ? folder : null;
      before = folder;
    }
    return null;
  }

  function takeFromRest(rest: Rest, before: Known | null): Known {
    const name = rest.names[rest.index++] ?? "";
    const { path, place, depth, after } = rest.above;
    const childPlace = rest.linked.get(name) ?? placeBelow(place, name);
    const childAfter = after !== null && after[0] === name ? after.slice(1) : null;
    const folder = knownFolder(joinPath(path, name), childPlace, depth + 1, childAfter);
    folder.next = rest.index < rest.names.length ? rest : rest.next;
    if (before === null) head = folder;
    else before.next = folder;
    return folder;
  }

  function list(folder: Known): void {
    folder.state = "busy";
    inFlight++;
    const isSuspicious = folder.depth >= suspiciousDepth || options.mountPoints.has(folder.place.realPath);
    if (!isSuspicious || folder.depth === 0) listFolder(options, folder.path, folder.place, listed, failed);
    else isItsOwnAncestor(options.disk, folder.place).then(listUnlessLoop, failed);

    function listUnlessLoop(isLoop: boolean): void {
      if (!isLoop) {
        listFolder(options, folder.path, folder.place, listed, failed);
        return;
      }
      inFlight--;
      folder.problems.push({
        path: folder.path,
        code: "loop",
        message: "The folder is one of those above it",
      });
      finish(folder);
    }

    function listed(listing: Listing): void {
      inFlight--;
      sortIn(folder, listing);
    }

    function failed(error: unknown): void {
      inFlight--;
      const { realPath } = folder.place;
      if (folder.path === "") {
        fail(rootUnavailable(realPath, "cannot be listed", error));
      } else if (isDiskLost(error)) {
        fail(diskLost(realPath, error));
      } else {
        const problem = folderProblem(folder.path, error);
        folder.problems.push(problem);
        if (hidesContent(problem.code)) folder.hidden = [folder.path];
        folder.isGivenOut = true;
        finish(folder);
      }
    }
  }

  function sortIn(folder: Known, listing: Listing): void {
    folder.folders = listing.folders.sort(compareNames);
    const { after } = folder;
    const names = after === null ? folder.folders : foldersAfter(folder.folders, after);
    if (names.length > 0) {
      folder.next = { above: folder, names, linked: listing.linkedFolders, index: 0, next: folder.next };
    }
    if (folder.isGivenOut) {
      folder.problems = listing.problems;
      folder.hidden = listing.hidden;
      folder.files = listing.linkedFiles;
      filesHeld += listing.plainFiles.length + listing.linkedFiles.length;
      if (options.namesOnly) folder.files = folder.files.concat(listing.plainFiles.map(nameOnly));
      else folder.openFiles = listing.plainFiles.length;
    }
    if (folder.openFiles === 0) {
      finish(folder);
    } else {
      fileJobs.push({ folder, names: listing.plainFiles, index: 0 });
      pump();
    }
  }

  function lookAtNextFile(job: FileJob): void {
    const name = job.names[job.index++] ?? "";
    if (job.index === job.names.length) fileJobs.shift();
    const { folder } = job;
    inFlight++;
    const absolute = joinPath(folder.place.realPath, name);
    options.disk.lstat(absolute, (error, stats) => {
      inFlight--;
      folder.openFiles--;
      if (error === null && stats.isFile()) {
        folder.files.push({ name, sizeBytes: stats.size, mtimeMs: stats.mtimeMs });
      } else if (isDiskLost(error)) {
        fail(diskLost(absolute, error));
        return;
      } else {
        filesHeld--;
        folder.problems.push(fileProblem(joinPath(folder.path, name), error));
      }
      if (folder.openFiles === 0) finish(folder);
      else pump();
    });
  }

  function finish(folder: Known): void {
    folder.state = "ready";
    folder.files.sort((a, b) => compareNames(a.name, b.name));
    if (folder === head) options.onReady();
    pump();
  }

  function fail(error: unknown): void {
    failure ??= error;
    options.onReady();
  }

  pump();
  return {
    take() {
      if (failure !== null) throw failure;
      if (head === null) return null;
      const taken: WalkedFolder[] = [];
      while (head !== null && "state" in head && head.state === "ready") {
        filesHeld -= head.files.length;
        if (head.isGivenOut) taken.push(walked(head));
        head = head.next;
      }
      if (taken.length === 0 && head === null) return null;
      pump();
      return taken;
    },
    stop() {
      isStopped = true;
    },
  };
}

function knownFolder(path: string, place: Place, depth: number, after: readonly string[] | null): Known {
  return {
    path,
    place,
    depth,
    after,
    state: "waiting",
    files: [],
    problems: [],
    folders: [],
    hidden: [],
    isGivenOut: after === null,
    openFiles: 0,
    next: null,
  };
}

function nameOnly(name: string): FileEntry {
  return { name, sizeBytes: 0, mtimeMs: 0 };
}

/** Of a folder at or above the one to go on after: the one that leads there and those behind it. */
function foldersAfter(folders: readonly string[], after: readonly string[]): readonly string[] {
  const next = after[0];
  return next === undefined ? folders : folders.filter((name) => compareNames(name, next) >= 0);
}

function walked(folder: Known): WalkedFolder {
  const { path, files, folders, problems, hidden } = folder;
  const isComplete = !problems.some((problem) => hidesContent(problem.code));
  return { path, files, folders, problems, hidden, isComplete };
}
