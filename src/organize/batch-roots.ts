import path from "node:path";
import type { JournalRoot } from "../domain/journal.ts";
import { placeText, type RootPath } from "../domain/organize.ts";
import { AppError } from "../errors.ts";

/** Where on this machine a place of a batch is. Throws `not_found` for a root that the batch does not have. */
export function absolutePath(roots: readonly JournalRoot[], place: RootPath): string {
  return path.join(rootOf(roots, place).path, place.path);
}

export function rootOf(roots: readonly JournalRoot[], place: RootPath): JournalRoot {
  const root = roots.find(({ id }) => id === place.rootId);
  if (root !== undefined) return root;
  throw new AppError("not_found", `There is no root for ${placeText(place)}`);
}

export function parentOf({ rootId, path: place }: RootPath): RootPath {
  const slash = place.lastIndexOf("/");
  return { rootId, path: slash === -1 ? "" : place.slice(0, slash) };
}

/** The folder and all above it up to the root, the root last. */
export function upwards(folder: RootPath): readonly RootPath[] {
  return folder.path === "" ? [folder] : [folder, ...upwards(parentOf(folder))];
}
