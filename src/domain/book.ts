/** A place in the disk's tree that the configuration names. */
type RootKind = "library" | "inbox";

export interface Root {
  /** Slug, unique, stable: it stands in topics' payloads and in the catalogue. */
  readonly id: string;
  /** Absolute path. */
  readonly path: string;
  readonly kind: RootKind;
  /** A missing optional root is a warning and its books are offline; any other missing root stops the start. */
  readonly optional: boolean;
  readonly watch: boolean;
}

export type BookState = "present" | "missing" | "needs_review" | "offline";

/** A book's place in a series. The position is text, without leading zeros: `0.5`, `1-3`, `1a` are real. */
export interface SeriesPosition {
  readonly name: string;
  readonly position: string | null;
}

/** What is said about a book, by whoever says it. An absent key says nothing, `null` and `[]` say "none". */
export interface BookFields {
  readonly title?: string | null;
  readonly subtitle?: string | null;
  readonly authors?: readonly string[];
  readonly narrators?: readonly string[];
  readonly series?: readonly SeriesPosition[];
  /** Four-digit year of publication. */
  readonly year?: number | null;
  readonly publisher?: string | null;
  readonly language?: string | null;
  readonly description?: string | null;
  readonly genres?: readonly string[];
  readonly asin?: string | null;
  readonly isbn?: string | null;
  readonly explicit?: boolean | null;
  readonly abridged?: boolean | null;
}

export type BookField = keyof BookFields;

/** Where a field came from, lowest to highest: a later one wins over an earlier one. */
export const fieldSources = [
  "ai",
  "folder",
  "tags",
  "nfo",
  "text",
  "opf",
  "metadata_json",
  "match",
  "user",
] as const;
type FieldSource = (typeof fieldSources)[number];

/** What sources say of the book, put together; with what they were chosen from. */
export interface MatchLayer extends BookFields {
  /** Which source each field came from. */
  readonly sources?: Readonly<Partial<Record<BookField | "chapters" | "cover", string>>>;
  /** The books of the sources that were taken for this one, at most one per source. */
  readonly taken?: readonly TakenMatch[];
  /** What a person has to choose from, best first; empty where there is nothing to choose. */
  readonly candidates?: readonly MatchCandidate[];
  /** What a person has said is another book. */
  readonly rejected?: readonly SourceId[];
  /** The series' names as they are spelled elsewhere → as the other books of the author have them. */
  readonly spelling?: Readonly<Record<string, string>>;
  /** Of a book that has none of its own. */
  readonly chapters?: readonly Chapter[];
  /** Where the cover is to be fetched from. */
  readonly coverUrl?: string | null;
  /** The cover that was fetched from there: its name below the data folder. */
  readonly coverFile?: string | null;
  /** What the names of its folders said before organizing gave it others, and no other layer says. */
  readonly former?: BookFields;
  /** What a parser has read in the book's name: the lowest layer. Null where it understood nothing. */
  readonly guess?: BookFields | null;
}

export interface SourceId {
  readonly source: string;
  /** The source's own. */
  readonly id: string;
}

export interface TakenMatch extends SourceId {
  /** 0 to 1; null where a person chose it. */
  readonly score: number | null;
}

/** A book that a source offers, and how sure it is that it is this one. */
export interface MatchCandidate extends SourceId {
  readonly score: number;
  readonly reasons: readonly string[];
  readonly title: string;
  readonly authors: readonly string[];
  readonly narrators: readonly string[];
  readonly series: readonly SeriesPosition[];
  readonly year: number | null;
  readonly durationSeconds: number | null;
}

/** Who said what. The scan fills the layers below `match`; a match and a user's correction survive every scan. */
export type FieldLayers = Readonly<Partial<Record<FieldSource, BookFields>>> & {
  readonly match?: MatchLayer;
};

export type Provenance = Readonly<Partial<Record<BookField | "chapters" | "cover", string>>>;

export interface Chapter {
  readonly title: string;
  /** Milliseconds from the start of the book (all its tracks in order). */
  readonly startMs: number;
  readonly endMs: number;
}

export interface Track {
  /** Relative to the root, `/` between segments. */
  readonly path: string;
  readonly title: string | null;
  readonly disc: number | null;
  readonly track: number | null;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  /** Lower-case extension without the dot. */
  readonly format: string;
}

export interface Companion {
  /** Relative to the root. */
  readonly path: string;
  readonly kind: "image" | "sidecar" | "document" | "playlist" | "text";
  readonly sizeBytes: number;
}

/** Where the cover is: a file beside the tracks, a picture inside a track, or one that was fetched. */
export interface Cover {
  readonly kind: "file" | "embedded" | "fetched";
  /** Relative to the root: the image, or the track that holds it. Of a fetched one relative to the data folder. */
  readonly path: string;
}

/** Why these files are one book; shown to the user with the book. */
export type GroupingReason = "folder" | "disc_folders" | "album_per_file" | "album_in_folder" | "loose_file";

/** A book as the scan makes it, before it has an id. */
export interface BookDraft {
  readonly rootId: string;
  /** Relative to the root: the folder, or the file where a folder holds several books. Unique within a root. */
  readonly path: string;
  readonly reason: GroupingReason;
  readonly layers: FieldLayers;
  readonly tracks: readonly Track[];
  readonly chapters: readonly Chapter[];
  readonly companions: readonly Companion[];
  readonly cover: Cover | null;
  /**
   * Where chapters and cover came from, beside what the layers tell. Chapters: `metadata_json`, `embedded` or
   * `files` (one per file); cover: `file` or `embedded`.
   */
  readonly provenance?: Pick<Provenance, "chapters" | "cover">;
  /** Same for the same audio wherever it lies: made of the tracks' sizes, durations and first bytes. */
  readonly fingerprint: string;
  /** Set when nothing usable as author or title was found; the text says what is missing. */
  readonly reviewReason: string | null;
  /** True where the title is only a bare file or folder name that no rule understood. */
  readonly titleIsBareName: boolean;
}

/** A book of the catalogue. */
export interface Book {
  readonly id: string;
  readonly rootId: string;
  readonly path: string;
  readonly state: BookState;
  readonly title: string;
  readonly subtitle: string | null;
  readonly authors: readonly string[];
  readonly narrators: readonly string[];
  readonly series: readonly SeriesPosition[];
  readonly year: number | null;
  readonly publisher: string | null;
  readonly language: string | null;
  readonly description: string | null;
  readonly genres: readonly string[];
  readonly asin: string | null;
  readonly isbn: string | null;
  readonly explicit: boolean | null;
  readonly abridged: boolean | null;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  /** The format of most tracks. */
  readonly format: string;
  readonly tracks: readonly Track[];
  readonly chapters: readonly Chapter[];
  readonly companions: readonly Companion[];
  readonly cover: Cover | null;
  readonly reason: GroupingReason;
  readonly reviewReason: string | null;
  readonly layers: FieldLayers;
  readonly provenance: Provenance;
  readonly fingerprint: string;
  /** RFC 3339, UTC. */
  readonly addedAt: string;
  readonly changedAt: string;
}

/** The short form that lists carry: no tracks, no layers. Keys are those of the contract's book, in our spelling. */
export interface BookSummary {
  readonly id: string;
  readonly rootId: string;
  readonly path: string;
  readonly state: BookState;
  readonly title: string;
  readonly subtitle: string | null;
  readonly authors: readonly string[];
  readonly narrators: readonly string[];
  readonly series: readonly SeriesPosition[];
  readonly year: number | null;
  readonly publisher: string | null;
  readonly language: string | null;
  readonly asin: string | null;
  readonly isbn: string | null;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  readonly format: string;
  readonly trackCount: number;
  readonly chapterCount: number;
  readonly hasCover: boolean;
  readonly addedAt: string;
  readonly changedAt: string;
}
