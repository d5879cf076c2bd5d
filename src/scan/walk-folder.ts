import { ignoreMarker, kindOf } from "../domain/file-kinds.ts";
import type { FileEntry, ScanProblem } from "../domain/scan.ts";
import type { Disk, Entry } from "./walk-disk.ts";
import type { IsLeftOut } from "./walk-ignore.ts";
import { mayBeUndecodable, takeOutUndecodable } from "./walk-names.ts";
import { isWithin, joinPath, leadsBack, type Place, placeBehindLink } from "./walk-place.ts";
import { isDiskLost, linkProblem } from "./walk-problems.ts";

/** A folder's listing, sorted out; its plain files have yet to be looked at. */
export interface Listing {
  /** Plain files that matter to the scan. */
  readonly plainFiles: string[];
  /** Files behind links, looked at already. */
  readonly linkedFiles: FileEntry[];
  readonly folders: string[];
  /** Those of the folders that are links. */
  readonly linkedFolders: Map<string, Place>;
  readonly problems: ScanProblem[];
  /** Paths of links behind which folders may be that cannot be seen now. */
  readonly hidden: string[];
}

export interface ListingRules {
  readonly disk: Disk;
  readonly isLeftOut: IsLeftOut;
}

/** A chain of links between folders outside the root ends here: ten that link to each other have 3,628,800 paths. */
const linkDepthLimit = 4;

/** Reads and sorts out one folder. `path` is relative to the root. Calls one of the two back, once. */
export function listFolder(
  rules: ListingRules,
  path: string,
  place: Place,
  done: (listing: Listing) => void,
  failed: (error: unknown) => void,
): void {
  rules.disk.readdir(place.realPath, (error, entries) => {
    if (error !== null) {
      failed(error);
    } else if (mayBeUndecodable(entries) || entries.some((entry) => entry.isSymbolicLink())) {
      listOddFolder(rules, path, place, entries).then(done, failed);
    } else {
      done(sortOut(rules, path, entries));
    }
  });
}

function sortOut(rules: ListingRules, path: string, entries: readonly Entry[]): Listing {
  const listing = emptyListing();
  if (entries.some((entry) => entry.name === ignoreMarker)) return listing;
  for (const entry of entries) {
    if (entry.isSymbolicLink() || rules.isLeftOut(path, entry.name)) continue;
    if (entry.isDirectory()) listing.folders.push(entry.name);
    else if (!entry.isFile()) listing.problems.push(notAFile(joinPath(path, entry.name)));
    else if (isOfInterest(entry.name)) listing.plainFiles.push(entry.name);
  }
  return listing;
}

async function listOddFolder(
  rules: ListingRules,
  path: string,
  place: Place,
  all: readonly Entry[],
): Promise<Listing> {
  const names = mayBeUndecodable(all) ? await rules.disk.readNames(place.realPath) : [];
  const { entries, shown } = takeOutUndecodable(all, names);
  const listing = sortOut(rules, path, entries);
  if (entries.some((entry) => entry.name === ignoreMarker)) return listing;
  for (const name of shown) {
    if (rules.isLeftOut(path, name)) continue;
    listing.problems.push({
      path: joinPath(path, name),
      code: "not_utf8",
      message: "The name is not UTF-8, so that it was left out; rename it",
    });
  }
  for (const entry of entries) {
    if (!entry.isSymbolicLink() || rules.isLeftOut(path, entry.name)) continue;
    await followLink(rules, path, place, entry.name, listing);
  }
  return listing;
}

async function followLink(
  rules: ListingRules,
  folderPath: string,
  place: Place,
  name: string,
  listing: Listing,
): Promise<void> {
  const path = joinPath(folderPath, name);
  const absolute = joinPath(place.realPath, name);
  try {
    const stats = await rules.disk.stat(absolute);
    if (stats.isFile()) {
      if (isOfInterest(name)) {
        listing.linkedFiles.push({ name, sizeBytes: stats.size, mtimeMs: stats.mtimeMs });
      }
    } else if (stats.isDirectory()) {
      const crossed = crossLink(path, place, await rules.disk.realpath(absolute));
      if ("code" in crossed) {
        listing.problems.push(crossed);
      } else {
        listing.folders.push(name);
        listing.linkedFolders.set(name, crossed);
      }
    } else {
      listing.problems.push(notAFile(path));
    }
  } catch (error) {
    if (isDiskLost(error)) throw error;
    listing.problems.push(linkProblem(path, error));
    listing.hidden.push(path);
  }
}

/**
 * Where a link to a folder leads, or why it is not followed: what it leads to is walked anyway, or would be
 * walked for ever.
 */
export function crossLink(path: string, place: Place, target: string): Place | ScanProblem {
  if (leadsBack(target, place)) {
    return { path, code: "loop", message: `The link leads back to ${target}, which it lies in` };
  }
  if (place.areas.some((area) => isWithin(target, area))) {
    const message = `The link leads to ${target}, which is walked anyway: its books are found there`;
    return { path, code: "duplicate_link", message };
  }
  if (place.crossings.length >= linkDepthLimit) {
    const message = `More than ${linkDepthLimit} links lead here one after another; it was not followed`;
    return { path, code: "loop", message };
  }
  return placeBehindLink(place, target);
}

function isOfInterest(name: string): boolean {
  const kind = kindOf(name);
  return kind === "audio" || kind === "image" || kind === "companion";
}

function notAFile(path: string): ScanProblem {
  return { path, code: "not_a_file", message: "A pipe, socket or device, not a file; it was not opened" };
}

function emptyListing(): Listing {
  return {
    plainFiles: [],
    linkedFiles: [],
    folders: [],
    linkedFolders: new Map(),
    problems: [],
    hidden: [],
  };
}
