import type { GroupingReason } from "../domain/book.ts";
import { extensionOf, stemOf } from "../domain/file-kinds.ts";
import { compareNatural } from "../domain/natural.ts";
import { looksLikePerson, personKey } from "../domain/people.ts";
import type { ScanUnit, TrackTags } from "../domain/scan.ts";
import { foldText } from "../domain/text.ts";
import type { UnitTrack } from "./draft-order.ts";
import { isMeaningless } from "./path-names.ts";
import { readTitlePart } from "./path-names-title.ts";

/** Tracks that are one book, in no particular order. */
export interface TrackGroup {
  /**
   * Relative to the unit: `''` for its folder, a file where the folder holds several books (of an album with
   * several files the first in natural order), the first disc folder where only those are a book.
   */
  readonly path: string;
  readonly reason: GroupingReason;
  readonly tracks: readonly UnitTrack[];
}

/**
 * Which tracks of a unit are one book. A folder is one book with its disc folders, unless its files say that
 * they are several: every file its own album, or albums each of which is whole by itself. Files directly in a
 * root are a book each, or one per album.
 */
export function groupTracks(unit: ScanUnit, tracks: readonly UnitTrack[]): readonly TrackGroup[] {
  const loose = tracks.filter((track) => !track.file.name.includes("/"));
  const onDiscs = tracks.filter((track) => track.file.name.includes("/"));
  const groups = unit.path === "" ? groupInRoot(loose) : groupInFolder(unit, loose);
  if (onDiscs.length === 0) return groups;
  const isOneBook = unit.path === "" ? groups.length === 0 : groups.length < 2;
  if (isOneBook) return [{ path: "", reason: "disc_folders", tracks }];
  const [disc = ""] = (firstByName(onDiscs)?.file.name ?? "").split("/");
  return [...groups, { path: disc, reason: "disc_folders", tracks: onDiscs }];
}

/** The key of an album: without what names one of its discs or parts, its case, accents and punctuation. */
function albumKey(tags: TrackTags): string | null {
  const album = albumOf(tags);
  return album === null ? null : bare(withoutDisc(album)) || bare(album) || album;
}

/** The album as it is tagged; null for none and for what programs write for none ("Unknown Album"). */
export function albumOf(tags: TrackTags): string | null {
  const album = tags.album?.slice(0, maxAlbumLength).trim() ?? "";
  return album === "" || isMeaningless(album) ? null : album;
}

/** More is no album; the patterns below need time by the square of a text's length. */
const maxAlbumLength = 500;

const discAtEnd =
  /[\s,:([-]+(?:cd|dis[ck]|part|pt)\.?\s*(?:\d{1,3}|[ivx]{1,4}|one|two|three|four|five|six)(?:\s*(?:of|\/)\s*\d+)?[)\]]?$/i;

/** "Dune (Disc 1)" and "Dune, Part 2" are of "Dune". */
export function withoutDisc(album: string): string {
  const text = album.replace(/\s+/g, " ").trim();
  return text.replace(discAtEnd, "").trim() || text;
}

function groupInRoot(tracks: readonly UnitTrack[]): readonly TrackGroup[] {
  return byKey(tracks, albumOfAuthor).map((group) => separate(group, "loose_file"));
}

function groupInFolder(unit: ScanUnit, tracks: readonly UnitTrack[]): readonly TrackGroup[] {
  const [first] = tracks;
  if (first === undefined) return [];
  if (tracks.length === 1 && unit.hasOtherFolders && !belongsToFolder(unit, first)) {
    return [separate(tracks, "loose_file")];
  }
  const albums = byKey(tracks, bookKey);
  if (areSeveralBooks(albums, tracks)) return albums.map((group) => separate(group, "album_per_file"));
  return [{ path: "", reason: "folder", tracks }];
}

function separate(tracks: readonly UnitTrack[], reasonForOne: GroupingReason): TrackGroup {
  const path = firstByName(tracks)?.file.name ?? "";
  return { path, reason: tracks.length === 1 ? reasonForOne : "album_in_folder", tracks };
}

/** Files without a key are on their own. */
function byKey(
  tracks: readonly UnitTrack[],
  keyOf: (track: UnitTrack) => string | null,
): readonly (readonly UnitTrack[])[] {
  const groups = new Map<string, UnitTrack[]>();
  for (const track of tracks) {
    const key = keyOf(track) ?? `/${track.file.name}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [track]);
    else group.push(track);
  }
  return [...groups.values()];
}

/** In a root the same album by two authors is two books. */
function albumOfAuthor(track: UnitTrack): string | null {
  const { tags } = track.reading;
  const album = albumKey(tags);
  const authors = tags.albumArtists.length > 0 ? tags.albumArtists : tags.artists;
  return album === null ? null : `${album}/${authors.map(personKey).join("/")}`;
}

/** An m4b of an hour without an album is a whole book too: its title tells which. */
function bookKey(track: UnitTrack): string | null {
  const { tags, durationSeconds } = track.reading;
  const isLong = isM4b(track) && durationSeconds >= 3600;
  return albumKey(tags) ?? (isLong && tags.title !== null ? bare(tags.title) : null);
}

/** Every file its own album, or every album whole by itself; files without an album then are on their own. */
function areSeveralBooks(albums: readonly (readonly UnitTrack[])[], tracks: readonly UnitTrack[]): boolean {
  const keyed = albums.filter(([first]) => first !== undefined && bookKey(first) !== null);
  if (keyed.length < 2) return false;
  return keyed.length === tracks.length || keyed.every(isWhole);
}

/** One file of many with a misspelled album is not whole: it is not the first track and is no long m4b. */
function isWhole(album: readonly UnitTrack[]): boolean {
  const numbers = album.map((track) => track.reading.tags.track);
  if (numbers.every((number) => number === null)) return album.length > 1 || album.some(isM4b);
  return numbers.includes(1) || album.some((track) => isM4b(track) && track.reading.durationSeconds >= 1800);
}

function isM4b(track: UnitTrack): boolean {
  return extensionOf(track.file.name) === "m4b";
}

/**
 * One file in a folder that has other folders: `Author/Title.m4b` is a book beside the others, `Title/x.m4b`
 * with `Title/Artwork` is the folder's book. The names decide; without a sign a folder directly below the root
 * is an author's.
 */
function belongsToFolder(unit: ScanUnit, track: UnitTrack): boolean {
  const segments = unit.path.split("/");
  const folder = segments.at(-1) ?? "";
  const { tags } = track.reading;
  const stem = stemOf(track.file.name);
  if ([...tags.albumArtists, ...tags.artists].some((name) => personKey(name) === personKey(folder)))
    return false;
  const own = readTitlePart(stem).parts;
  if (own.length > 1 && looksLikePerson(folder)) return false;
  const names = new Set([...own, tags.album ?? "", tags.title ?? ""].map(bare));
  names.delete("");
  if ([folder, ...readTitlePart(folder).parts].some((part) => names.has(bare(part)))) return true;
  return isMeaningless(stem) || (segments.length > 1 && albumOf(tags) === null);
}

function bare(text: string): string {
  return foldText(text)
    .replace(/[([](?:un)?abridged[)\]]/g, "")
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, "");
}

function firstByName(tracks: readonly UnitTrack[]): UnitTrack | undefined {
  return [...tracks].sort((a, b) => compareNatural(a.file.name, b.file.name))[0];
}
