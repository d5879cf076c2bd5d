import { discNumberOf, stemOf } from "../domain/file-kinds.ts";
import { compareNatural } from "../domain/natural.ts";
import type { FileEntry, TrackReading } from "../domain/scan.ts";

/** A file of a unit that could be read. */
export interface UnitTrack {
  readonly file: FileEntry;
  readonly reading: TrackReading;
}

/** A track in its place, with the disc that its place was found by. */
export interface OrderedTrack extends UnitTrack {
  readonly disc: number | null;
}

/**
 * Tracks by disc, track and natural name. The disc folder tells the disc, else the tag, else the name
 * (`CD2 - 01`). Where only some tracks are numbered, the number in front of a name stands in for the missing
 * tag, and tracks without either come last.
 */
export function orderTracks(tracks: readonly UnitTrack[]): readonly OrderedTrack[] {
  const hasFolders = tracks.some((track) => track.file.name.includes("/"));
  const isNumbered = tracks.some((track) => track.reading.tags.track !== null);
  const keyed = tracks.map((track) => {
    const discs = discsOf(track);
    return {
      track: { ...track, disc: discs.at(-1) ?? null },
      discs: discs.length === 0 ? [hasFolders ? 0 : 1] : discs,
      number: trackNumberOf(track, isNumbered),
    };
  });
  keyed.sort(
    (a, b) =>
      compareNumbers(a.discs, b.discs) ||
      compareNumber(a.number, b.number) ||
      compareNatural(a.track.file.name, b.track.file.name),
  );
  return keyed.map((entry) => entry.track);
}

/** One number per disc folder (`Part 1/CD 2`), or the one of the tag or the name; empty where nobody tells. */
function discsOf(track: UnitTrack): readonly number[] {
  const { name } = track.file;
  if (name.includes("/"))
    return name
      .split("/")
      .slice(0, -1)
      .map((folder) => discNumberOf(folder) ?? 0);
  if (track.reading.tags.disc !== null) return [track.reading.tags.disc];
  const inName = /(?:^|[^\p{L}])(?:cd|dis[ck])[\s_.-]*(\d{1,3})(?!\d)/iu.exec(stemOf(name))?.[1];
  return inName === undefined ? [] : [Number(inName)];
}

function trackNumberOf(track: UnitTrack, isNumbered: boolean): number {
  if (!isNumbered) return 0;
  const inName = /^\d{1,4}(?!\d)/.exec(stemOf(track.file.name))?.[0];
  return track.reading.tags.track ?? (inName === undefined ? Number.POSITIVE_INFINITY : Number(inName));
}

function compareNumbers(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareNumber(a[i] ?? 0, b[i] ?? 0);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Not a subtraction: two infinities are equal. */
function compareNumber(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
