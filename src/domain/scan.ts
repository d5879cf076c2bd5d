/** Something about one file or folder that is wrong; the scan goes on. */
export interface ScanProblem {
  /** Relative to the root; bytes that are not UTF-8 are shown as `\xHH`. */
  readonly path: string;
  readonly code: ScanProblemCode;
  readonly message: string;
}

export type ScanProblemCode =
  | "unreadable_audio"
  | "unreadable_folder"
  | "unreadable_file"
  | "unreadable_sidecar"
  | "read_timeout"
  | "not_utf8"
  | "not_a_file"
  | "loop"
  | "duplicate_link"
  | "broken_link"
  | "vanished"
  | "path_too_long";

/** One file as the walk sees it. */
export interface FileEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
}

/** One folder as the walk yields it, in the walk's fixed order (parents first, then names in byte order). */
export interface FolderEntry {
  /** Relative to the root, `/` between segments, `''` for the root itself. */
  readonly path: string;
  /** Regular files (links to files followed), in byte order of names, ignored ones left out. */
  readonly files: readonly FileEntry[];
  /** Names of the sub-folders that the walk goes into, in byte order. */
  readonly folders: readonly string[];
  readonly problems: readonly ScanProblem[];
}

/**
 * The files that are looked at together: a folder with audio and its `CD1`, `Disc 2` sub-folders. What is
 * read again, or not, is decided for a unit; it may hold several books.
 */
export interface ScanUnit {
  /** The folder, relative to the root. */
  readonly path: string;
  /** Names are relative to `path`: `01.mp3`, `CD1/01.mp3`, and for parts with discs `Part 1/CD2/01.mp3`. */
  readonly files: readonly FileEntry[];
  /** True where the unit's folder has sub-folders that are not part of it. */
  readonly hasOtherFolders: boolean;
}

/** What was read from one audio file: the raw values that the rules work on. */
export interface TrackTags {
  readonly title: string | null;
  readonly album: string | null;
  readonly artists: readonly string[];
  readonly albumArtists: readonly string[];
  readonly composers: readonly string[];
  readonly narrators: readonly string[];
  readonly performers: readonly string[];
  readonly disc: number | null;
  readonly track: number | null;
  readonly subtitle: string | null;
  readonly year: number | null;
  readonly publisher: string | null;
  readonly language: string | null;
  readonly description: string | null;
  readonly comment: string | null;
  readonly genres: readonly string[];
  readonly asin: string | null;
  readonly isbn: string | null;
  readonly explicit: boolean | null;
  readonly abridged: boolean | null;
  /** SERIES, show, MVNM: a series' name as it stands. */
  readonly series: readonly string[];
  /** SERIES-PART, PART, MVIN, SERIES_INDEX, in the order of `series`. */
  readonly seriesParts: readonly string[];
  /** Grouping, unparsed: `Name #2; Other #1`. */
  readonly grouping: string | null;
}

export interface TrackChapter {
  readonly title: string;
  /** Milliseconds from the start of the file. */
  readonly startMs: number;
  readonly endMs: number;
}

export interface TrackReading {
  readonly tags: TrackTags;
  readonly durationSeconds: number;
  readonly bitrateKbps: number | null;
  readonly chapters: readonly TrackChapter[];
  readonly hasPicture: boolean;
  /** SHA-256 (hex, first 16 digits) of the first 4 KiB of the file: part of a book's fingerprint. */
  readonly headHash: string;
}

/** The answer for one file: what was read, or why it could not be. */
export type TrackResult =
  | { readonly ok: true; readonly reading: TrackReading }
  | { readonly ok: false; readonly code: ScanProblemCode; readonly message: string };

/** What a scan has met up to some folder. */
export interface ScanCounts {
  readonly dirs: number;
  readonly files: number;
  readonly problemCount: number;
}

/**
 * Where a scan can go on: everything up to and including `cursor` in the walk's order is in the catalogue. What
 * the catalogue can tell itself (books, and what the operation did to them) is not counted here: a commit whose
 * checkpoint was never saved would be missing from it.
 */
export interface ScanCheckpoint {
  readonly operationId: string;
  readonly rootId: string;
  /** A folder relative to the root. */
  readonly cursor: string;
  /** Of all up to `cursor`, and of nothing behind it. */
  readonly counts: ScanCounts;
  /** Milliseconds of work so far, over all the runs of this operation. */
  readonly elapsedMs: number;
  /** RFC 3339. */
  readonly savedAt: string;
}

export type ScanState = "idle" | "walking" | "reading" | "saving" | "paused" | "resuming" | "failed";

export interface ScanProgress {
  readonly state: ScanState;
  readonly operationId: string | null;
  readonly rootId: string | null;
  readonly path: string | null;
  readonly dirsFound: number;
  readonly dirsDone: number;
  readonly filesFound: number;
  readonly filesDone: number;
  readonly booksFound: number;
  /** Null until the walk has ended. */
  readonly percent: number | null;
  readonly etaSeconds: number | null;
  readonly resumedFrom: string | null;
  readonly problems: number;
}
