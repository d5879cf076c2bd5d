import type { UnitEntry } from "../domain/catalogue.ts";
import type { TrackReading, TrackResult, TrackTags } from "../domain/scan.ts";

/**
 * What a scan read from a unit's files, as text. Tags that say nothing are left out: most of the two dozen do,
 * and written out they would be the larger half of the catalogue.
 */
export function packEntries(entries: readonly UnitEntry[]): string {
  return JSON.stringify(
    entries.map(
      ({ file, result }): PackedEntry => [
        file.name,
        file.sizeBytes,
        file.mtimeMs,
        ...(result === null ? ([] as const) : ([packResult(result)] as const)),
      ],
    ),
  );
}

export function unpackEntries(packed: string): readonly UnitEntry[] {
  const entries: readonly PackedEntry[] = JSON.parse(packed);
  return entries.map(([name, sizeBytes, mtimeMs, result]) => ({
    file: { name, sizeBytes, mtimeMs },
    result: result === undefined ? null : unpackResult(result),
  }));
}

type PackedEntry = readonly [name: string, sizeBytes: number, mtimeMs: number, result?: PackedResult];
type PackedResult = Exclude<TrackResult, { ok: true }> | PackedReading;
type PackedReading = Partial<Omit<TrackReading, "tags">> & { readonly tags: Partial<TrackTags> };

const noTags: TrackTags = {
  title: null,
  album: null,
  artists: [],
  albumArtists: [],
  composers: [],
  narrators: [],
  performers: [],
  disc: null,
  track: null,
  subtitle: null,
  year: null,
  publisher: null,
  language: null,
  description: null,
  comment: null,
  genres: [],
  asin: null,
  isbn: null,
  explicit: null,
  abridged: null,
  series: [],
  seriesParts: [],
  grouping: null,
};

const noReading: TrackReading = {
  tags: noTags,
  durationSeconds: 0,
  bitrateKbps: null,
  chapters: [],
  hasPicture: false,
  headHash: "",
};

function packResult(result: TrackResult): PackedResult {
  if (!result.ok) return result;
  return { ...whatDiffers(result.reading, noReading), tags: whatDiffers(result.reading.tags, noTags) };
}

function unpackResult(packed: PackedResult): TrackResult {
  if ("ok" in packed) return packed;
  return { ok: true, reading: { ...noReading, ...packed, tags: { ...noTags, ...packed.tags } } };
}

function whatDiffers<T extends object>(value: T, nothing: T): Partial<T> {
  const said: Partial<T> = {};
  for (const key in value) {
    const each = value[key];
    if (each === nothing[key] || (Array.isArray(each) && each.length === 0)) continue;
    said[key] = each;
  }
  return said;
}
