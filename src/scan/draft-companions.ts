import type { Companion, Cover } from "../domain/book.ts";
import { extensionOf, kindOf, stemOf } from "../domain/file-kinds.ts";
import { compareNatural } from "../domain/natural.ts";
import type { FileEntry, ScanUnit } from "../domain/scan.ts";
import { foldText } from "../domain/text.ts";
import type { OrderedTrack } from "./draft-order.ts";
import type { TrackGroup } from "./group-books.ts";
import { sidecarSourceOf } from "./sidecar-names.ts";

/**
 * Says to which group a file beside the tracks belongs. All of a folder's files belong to its one book. Beside
 * several books, or beside a file of a folder that holds other folders, a file belongs to the book whose track
 * has its name ("Dune.jpg", "Dune - map.pdf" to "Dune.m4b"), and in a disc folder to the discs' book; null where
 * no book claims it: it stays where it is.
 */
export function companionOwners(groups: readonly TrackGroup[]): (name: string) => TrackGroup | null {
  const whole = groups.find((group) => group.path === "");
  if (whole !== undefined) return () => whole;
  const onDiscs = groups.find((group) => group.reason === "disc_folders") ?? null;
  const byStem = new Map<string, TrackGroup>();
  for (const group of groups) {
    for (const track of group.tracks) byStem.set(stemOf(track.file.name).toLowerCase(), group);
  }
  return (name) => (name.includes("/") ? onDiscs : groupOfStem(byStem, stemOf(name).toLowerCase()));
}

/** The longest track name that the stem is or begins with, up to a sign that is no letter or figure. */
function groupOfStem(byStem: ReadonlyMap<string, TrackGroup>, stem: string): TrackGroup | null {
  for (let end = stem.length; end > 0; end--) {
    const isBoundary = end === stem.length || /[^\p{L}\p{N}]/u.test(stem.charAt(end));
    const group = isBoundary ? byStem.get(stem.slice(0, end)) : undefined;
    if (group !== undefined) return group;
  }
  return null;
}

export function companionsOf(unit: ScanUnit, files: readonly FileEntry[]): readonly Companion[] {
  return files.map((file) => ({
    path: unit.path === "" ? file.name : `${unit.path}/${file.name}`,
    kind: companionKindOf(file.name),
    sizeBytes: file.sizeBytes,
  }));
}

/** `cover.*`, `folder.*`, an image named after a track, else the first image, else the first embedded picture. */
export function coverOf(
  files: readonly FileEntry[],
  tracks: readonly OrderedTrack[],
  pathOf: (name: string) => string,
): Cover | null {
  const stems = new Set(tracks.map((track) => foldText(stemOf(track.file.name))));
  const rankOf = (name: string): number => {
    const stem = foldText(stemOf(name));
    if (stem === "cover" || stem === "folder") return stem === "cover" ? 0 : 1;
    return stems.has(stem) ? 2 : 3;
  };
  const images = files
    .filter((file) => kindOf(file.name) === "image")
    .map(({ name }) => ({ name, rank: rankOf(name), depth: name.split("/").length }))
    .sort((a, b) => a.rank - b.rank || a.depth - b.depth || compareNatural(a.name, b.name));
  const [image] = images;
  if (image !== undefined) return { kind: "file", path: pathOf(image.name) };
  const track = tracks.find((one) => one.reading.hasPicture);
  return track === undefined ? null : { kind: "embedded", path: pathOf(track.file.name) };
}

function companionKindOf(name: string): Companion["kind"] {
  if (kindOf(name) === "image") return "image";
  if (sidecarSourceOf(name) !== null) return "sidecar";
  const extension = extensionOf(name);
  if (["cue", "m3u", "m3u8"].includes(extension)) return "playlist";
  return ["txt", "json"].includes(extension) ? "text" : "document";
}
