import path from "node:path";
import type { Disk, Stats } from "./walk-disk.ts";

/** Where a folder of the walk really lies. */
export interface Place {
  /** Absolute, without links. */
  readonly realPath: string;
  /** The real paths of the folders whose links were followed on the way here. */
  readonly crossings: readonly string[];
  /** The real paths of the trees that are walked whole here: the root, and what each followed link led to. */
  readonly areas: readonly string[];
}

/** The place of a folder below another one. */
export function placeBelow(place: Place, name: string): Place {
  return { ...place, realPath: joinPath(place.realPath, name) };
}

/** The place of what a link in the folder at `place` leads to. */
export function placeBehindLink(place: Place, target: string): Place {
  return {
    realPath: target,
    crossings: [...place.crossings, place.realPath],
    areas: [...place.areas, target],
  };
}

/** A relative or absolute path and a name; unlike `path.join` it normalizes nothing. */
export function joinPath(folderPath: string, name: string): string {
  if (folderPath === "") return name;
  return folderPath.endsWith("/") ? folderPath + name : `${folderPath}/${name}`;
}

/** True where `inner` is `outer` or lies below it. */
export function isWithin(inner: string, outer: string): boolean {
  if (!inner.startsWith(outer)) return false;
  return inner.length === outer.length || outer === "" || outer.endsWith("/") || inner[outer.length] === "/";
}

/** True where going to `target` would come by the folder at `place` again. */
export function leadsBack(target: string, place: Place): boolean {
  return [place.realPath, ...place.crossings].some((above) => isWithin(above, target));
}

/** True where a folder is one of those above it: what a bind mount can make, and no path shows. */
export async function isItsOwnAncestor(disk: Disk, place: Place): Promise<boolean> {
  const self = await disk.stat(place.realPath);
  for (const start of [path.dirname(place.realPath), ...place.crossings]) {
    for (let above = start; ; above = path.dirname(above)) {
      if (isSame(await disk.stat(above), self)) return true;
      if (above === path.dirname(above)) break;
    }
  }
  return false;
}

function isSame(a: Stats, b: Stats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
