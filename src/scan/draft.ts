import { hash } from "node:crypto";
import type { BookDraft, BookFields, Chapter, FieldLayers, Track } from "../domain/book.ts";
import { bookFields, composeFields, reviewReasonOf } from "../domain/compose.ts";
import { extensionOf, kindOf } from "../domain/file-kinds.ts";
import { compareNatural } from "../domain/natural.ts";
import type { FileEntry, ScanProblem, ScanUnit, TrackResult } from "../domain/scan.ts";
import { foldText } from "../domain/text.ts";
import { chaptersOf } from "./draft-chapters.ts";
import { companionOwners, companionsOf, coverOf } from "./draft-companions.ts";
import { type OrderedTrack, orderTracks, type UnitTrack } from "./draft-order.ts";
import { namesOfPlace } from "./draft-place.ts";
import { fieldsOfTags } from "./draft-tags.ts";
import { groupTracks, type TrackGroup } from "./group-books.ts";
import type { NameEvidence } from "./path-names.ts";
import type { SidecarSource } from "./sidecar-names.ts";

/** What one sidecar says. */
export interface Sidecar {
  /** Relative to the unit's folder. */
  readonly name: string;
  readonly source: SidecarSource;
  readonly fields: BookFields;
  readonly chapters: readonly Chapter[];
}

export interface UnitContent {
  readonly rootId: string;
  readonly unit: ScanUnit;
  /** By the name of the file as the unit has it. */
  readonly results: ReadonlyMap<string, TrackResult>;
  readonly sidecars: readonly Sidecar[];
}

export interface Drafts {
  readonly drafts: readonly BookDraft[];
  readonly problems: readonly ScanProblem[];
}

/**
 * The books of a unit. A file that could not be read is a problem and in no book: what can be read of a book
 * stays a book, a folder without any readable audio is none. Pure: no I/O, no clock.
 */
export function buildDrafts(content: UnitContent): Drafts {
  const { unit, results } = content;
  const tracks: UnitTrack[] = [];
  const problems: ScanProblem[] = [];
  const others: FileEntry[] = [];
  for (const file of unit.files) {
    if (kindOf(file.name) !== "audio") {
      others.push(file);
      continue;
    }
    const result = results.get(file.name);
    if (result?.ok) tracks.push({ file, reading: result.reading });
    else problems.push(problemOf(pathIn(unit, file.name), result));
  }
  const groups = groupTracks(unit, tracks);
  const ownerOf = companionOwners(groups);
  const ownerOfSidecar = sidecarOwners(groups, ownerOf);
  const filesOf = groupBy(others, (file) => ownerOf(file.name));
  const sidecarsOf = groupBy([...content.sidecars].sort(compareSidecars), ownerOfSidecar);
  const drafts = groups.map((group) =>
    draftOf(content, group, filesOf.get(group) ?? [], sidecarsOf.get(group) ?? []),
  );
  return { drafts, problems };
}

function problemOf(path: string, result: (TrackResult & { readonly ok: false }) | undefined): ScanProblem {
  if (result !== undefined) return { path, code: result.code, message: result.message };
  return { path, code: "unreadable_file", message: "The file was not read. Scan its folder again." };
}

function draftOf(
  { rootId, unit }: UnitContent,
  group: TrackGroup,
  files: readonly FileEntry[],
  sidecars: readonly Sidecar[],
): BookDraft {
  const tracks = orderTracks(group.tracks);
  const tags = fieldsOfTags(tracks.map((track) => track.reading.tags));
  const names = namesOfPlace(unit, group, evidenceOf(tags, sidecars));
  const layers = layersOf(names.fields, withPositions(tags, names.fields), sidecars);
  const { fields, provenance } = composeFields(layers);
  const { chapters, from } = chaptersOf(
    tracks,
    sidecars.find((sidecar) => sidecar.chapters.length > 0)?.chapters ?? [],
  );
  const cover = coverOf(files, tracks, (name) => pathIn(unit, name));
  return {
    rootId,
    path: pathIn(unit, group.path),
    reason: group.reason,
    layers,
    tracks: tracks.map((track) => trackOf(unit, track)),
    chapters,
    companions: companionsOf(unit, files),
    cover,
    provenance: { chapters: from, ...(cover === null ? {} : { cover: cover.kind }) },
    fingerprint: fingerprintOf(tracks),
    reviewReason: reviewReasonOf(fields, provenance, names.titleIsBareName),
    titleIsBareName: names.titleIsBareName,
  };
}

/** A sidecar beside several books that no file's name claims is the one's whose title it has. */
function sidecarOwners(
  groups: readonly TrackGroup[],
  ownerOf: (name: string) => TrackGroup | null,
): (sidecar: Sidecar) => TrackGroup | null {
  const byTitle = new Map<string, TrackGroup>();
  if (groups.length > 1) {
    for (const group of groups) for (const track of group.tracks) byTitle.set(titleKeyOf(track), group);
  }
  return ({ name, fields }) => ownerOf(name) ?? byTitle.get(foldText(fields.title ?? "")) ?? null;
}

function titleKeyOf(track: UnitTrack): string {
  const { album, title } = track.reading.tags;
  // An empty title must claim nothing: no folded title is a slash with the file's name.
  return foldText(album ?? title ?? "") || `/${track.file.name}`;
}

/** The book's own folder before its disc folders, then by name. */
function compareSidecars(a: Sidecar, b: Sidecar): number {
  return a.name.split("/").length - b.name.split("/").length || compareNatural(a.name, b.name);
}

function groupBy<T>(
  items: readonly T[],
  ownerOf: (item: T) => TrackGroup | null,
): Map<TrackGroup, readonly T[]> {
  const groups = new Map<TrackGroup, T[]>();
  for (const item of items) {
    const group = ownerOf(item);
    if (group === null) continue;
    const known = groups.get(group);
    if (known === undefined) groups.set(group, [item]);
    else known.push(item);
  }
  return groups;
}

function evidenceOf(tags: BookFields, sidecars: readonly Sidecar[]): NameEvidence {
  const said = [tags, ...sidecars.map((sidecar) => sidecar.fields)];
  return {
    authors: said.flatMap((fields) => fields.authors ?? []),
    title: said.find((fields) => fields.title)?.title ?? null,
  };
}

/** A series tag without a position has the one that the folders tell of the same series. */
function withPositions(tags: BookFields, folder: BookFields): BookFields {
  if (tags.series === undefined || folder.series === undefined) return tags;
  const positions = new Map(folder.series.map(({ name, position }) => [foldText(name), position]));
  const series = tags.series.map(({ name, position }) => ({
    name,
    position: position ?? positions.get(foldText(name)) ?? null,
  }));
  return { ...tags, series };
}

/** One layer per source; of two sidecars of one kind the first wins. */
function layersOf(folder: BookFields, tags: BookFields, sidecars: readonly Sidecar[]): FieldLayers {
  const layers: Partial<Record<"folder" | "tags" | SidecarSource, BookFields>> = {};
  if (Object.keys(folder).length > 0) layers.folder = folder;
  if (Object.keys(tags).length > 0) layers.tags = tags;
  for (const { source, fields } of sidecars) {
    const filled = bookFields.filter((field) => fields[field] !== undefined);
    if (filled.length > 0) layers[source] = { ...fields, ...layers[source] };
  }
  return layers;
}

function trackOf(unit: ScanUnit, track: OrderedTrack): Track {
  const { file, reading, disc } = track;
  return {
    path: pathIn(unit, file.name),
    title: reading.tags.title,
    disc,
    track: reading.tags.track,
    durationSeconds: reading.durationSeconds,
    sizeBytes: file.sizeBytes,
    mtimeMs: file.mtimeMs,
    format: extensionOf(file.name),
  };
}

/** Of the audio alone, in no order: renaming, moving or re-sorting a book's files leaves it. */
function fingerprintOf(tracks: readonly OrderedTrack[]): string {
  const lines = tracks.map(
    ({ file, reading }) =>
      `${file.sizeBytes}:${Math.round(reading.durationSeconds * 1000)}:${reading.headHash}`,
  );
  return hash("sha256", lines.sort().join("\n"));
}

function pathIn(unit: ScanUnit, name: string): string {
  if (unit.path === "" || name === "") return unit.path + name;
  return `${unit.path}/${name}`;
}
