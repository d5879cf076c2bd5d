import type { BookDraft, BookFields } from "../../src/domain/book.ts";
import { composeFields } from "../../src/domain/compose.ts";
import type { ScanUnit, TrackReading, TrackResult, TrackTags } from "../../src/domain/scan.ts";
import { buildDrafts, type Drafts, type Sidecar } from "../../src/scan/draft.ts";

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

/** A file of a unit: its tags, what else was read of it, or `null` for a file that is not audio. */
export type FileContent = (Partial<TrackTags> & { readonly reading?: Partial<TrackReading> }) | null;

export interface UnitDescription {
  readonly path: string;
  readonly files: Readonly<Record<string, FileContent | "unreadable">>;
  readonly sidecars?: readonly Partial<Sidecar>[];
  readonly hasOtherFolders?: boolean;
}

function resultOf(content: FileContent, headHash = "0000000000000000"): TrackResult {
  const { reading, ...tags } = content ?? {};
  return {
    ok: true,
    reading: {
      durationSeconds: 60,
      bitrateKbps: 64,
      chapters: [],
      hasPicture: false,
      headHash,
      ...reading,
      tags: { ...noTags, ...tags },
    },
  };
}

/** The drafts of a unit that is described by the tags of its files. */
export function draftsOf(description: UnitDescription): Drafts {
  const results = new Map<string, TrackResult>();
  const files = Object.entries(description.files).map(([name, content], index) => {
    if (content === "unreadable")
      results.set(name, { ok: false, code: "unreadable_audio", message: "It is cut off." });
    else if (content !== null) results.set(name, resultOf(content));
    return { name, sizeBytes: 1000 + index, mtimeMs: 1 };
  });
  const unit: ScanUnit = {
    path: description.path,
    files,
    hasOtherFolders: description.hasOtherFolders ?? false,
  };
  const sidecars = (description.sidecars ?? []).map((sidecar) => ({
    name: "metadata.json",
    source: "metadata_json" as const,
    fields: {},
    chapters: [],
    ...sidecar,
  }));
  return buildDrafts({ rootId: "books", unit, results, sidecars });
}

/** The one draft of a unit. */
export function draftOf(description: UnitDescription): BookDraft {
  const { drafts } = draftsOf(description);
  const [draft] = drafts;
  if (draft === undefined || drafts.length !== 1)
    throw new Error(`the unit makes ${drafts.length} books, not one`);
  return draft;
}

/** The fields of a single file with these tags in `Folder Author/Folder Title`, without what the folders say. */
export function fieldsOfTags(tags: Partial<TrackTags>): BookFields {
  return draftOf({ path: "Folder Author/Folder Title", files: { "01.mp3": tags } }).layers.tags ?? {};
}

export function composed(draft: BookDraft) {
  return composeFields(draft.layers);
}
