import { hash } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import type {
  Book,
  BookDraft,
  BookFields,
  BookState,
  BookSummary,
  Chapter,
  Companion,
  Cover,
  FieldLayers,
  GroupingReason,
  MatchLayer,
  Track,
} from "../domain/book.ts";
import { type ComposedFields, composeFields } from "../domain/compose.ts";

/** A book's state as it is stored: whether its root is offline is known only when it is read. */
export type OwnState = Exclude<BookState, "offline">;

const ownStates: readonly OwnState[] = ["present", "needs_review", "missing"];

export const kinds = { author: 0, narrator: 1, series: 2 } as const;

export type Row = Readonly<Record<string, SQLOutputValue>>;

/** Prepares a table of statements under the same names. */
export function prepareAll<K extends string>(
  database: DatabaseSync,
  sql: Readonly<Record<K, string>>,
): Readonly<Record<K, StatementSync>> {
  const prepared: Partial<Record<K, StatementSync>> = {};
  for (const name in sql) prepared[name] = database.prepare(sql[name]);
  return prepared as Record<K, StatementSync>;
}

export function stateNumber(state: OwnState): number {
  return ownStates.indexOf(state);
}

export function ownState(row: Row): OwnState {
  return ownStates[integer(row, "state")] ?? "missing";
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value === "string") return value;
  throw new TypeError(`${column} of the catalogue is no text`);
}

export function textOrNull(row: Row, column: string): string | null {
  return row[column] === null ? null : text(row, column);
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value === "number") return value;
  throw new TypeError(`${column} of the catalogue is no number`);
}

/** 48 bits of a fingerprint: an index of numbers is a fifth of one of texts. */
export function fingerprintKey(fingerprint: string): number {
  return Number.parseInt(hash("sha1", fingerprint).slice(0, 12), 16);
}

/** The part of a summary that is kept as one JSON text; the rest has columns of its own. */
type StoredSummary = Omit<BookSummary, "id" | "rootId" | "path" | "state" | "addedAt" | "changedAt">;

/** What a draft says beside its fields, without the tracks' mtimes: a touched file is no changed book. */
export interface StoredContent {
  readonly layers: FieldLayers;
  readonly titleIsBareName: boolean;
  readonly reason: GroupingReason;
  readonly tracks: readonly Omit<Track, "mtimeMs">[];
  readonly chapters: readonly Chapter[];
  readonly companions: readonly Companion[];
  readonly cover: Cover | null;
  /** Of what no layer says: where the chapters and the cover are from. */
  readonly provenance?: BookDraft["provenance"];
}

export interface KeptLayers {
  readonly match: MatchLayer | null;
  readonly user: BookFields | null;
}

/**
 * The scan's layers between those that survive every scan: a parser's guess below them, a match and the user above. What
 * folders said that organizing has renamed counts where the new names say nothing.
 */
export function withKept(
  { layers, titleIsBareName }: Pick<StoredContent, "layers" | "titleIsBareName">,
  kept: KeptLayers,
): FieldLayers {
  const { match: _match, user: _user, ai: _ai, ...scanned } = layers;
  const guess = kept.match?.guess ?? null;
  const former = kept.match?.former;
  const folder = former === undefined ? scanned.folder : { ...former, ...scanned.folder };
  const { title: _bareName, ...untitled } = folder ?? {};
  // A name that nobody understood is no title where somebody has.
  const isUntitled = guess?.title != null && titleIsBareName;
  return {
    ...scanned,
    ...(guess === null ? {} : { ai: guess }),
    ...(folder === undefined ? {} : { folder: isUntitled ? untitled : folder }),
    ...(kept.match === null ? {} : { match: kept.match }),
    ...(kept.user === null ? {} : { user: kept.user }),
  };
}

export function storedContent(draft: BookDraft): {
  readonly content: StoredContent;
  readonly mtimes: string;
} {
  const { match: _match, user: _user, ...layers } = draft.layers;
  const content: StoredContent = {
    layers,
    titleIsBareName: draft.titleIsBareName,
    reason: draft.reason,
    tracks: draft.tracks.map(({ mtimeMs: _, ...track }) => track),
    chapters: draft.chapters,
    companions: draft.companions,
    cover: draft.cover,
    ...(draft.provenance === undefined ? {} : { provenance: draft.provenance }),
  };
  return { content, mtimes: JSON.stringify(draft.tracks.map((track) => track.mtimeMs)) };
}

/** A book's numbers, made of its tracks. */
export interface Measures {
  readonly durationMs: number;
  readonly durationSeconds: number;
  readonly sizeBytes: number;
  readonly format: string;
}

export function measure(tracks: readonly Omit<Track, "mtimeMs">[]): Measures {
  let durationSeconds = 0;
  let sizeBytes = 0;
  const formats = new Map<string, number>();
  for (const track of tracks) {
    durationSeconds += track.durationSeconds;
    sizeBytes += track.sizeBytes;
    formats.set(track.format, (formats.get(track.format) ?? 0) + 1);
  }
  let format = "";
  for (const [each, count] of formats) if (count > (formats.get(format) ?? 0)) format = each;
  const durationMs = Math.round(durationSeconds * 1000);
  return { durationMs, durationSeconds: durationMs / 1000, sizeBytes, format };
}

/** A book without any title is called by its folder or file. */
export function titleOf(fields: ComposedFields, rootId: string, path: string): string {
  return fields.title ?? (path.slice(path.lastIndexOf("/") + 1) || rootId);
}

/** The book's own, else the one that was fetched for it. */
export function coverOf(content: Pick<StoredContent, "cover">, match: MatchLayer | null): Cover | null {
  const fetched = match?.coverFile ?? null;
  return content.cover ?? (fetched === null ? null : { kind: "fetched", path: fetched });
}

/** The book's own, else those that a source knows: one per file is said of a book that says nothing itself. */
export function chaptersOf(
  { chapters, provenance }: Pick<StoredContent, "chapters" | "provenance">,
  match: MatchLayer | null,
): { readonly chapters: readonly Chapter[]; readonly source: string | undefined } {
  const fetched = match?.chapters;
  if (fetched === undefined || provenance?.chapters !== "files") return { chapters, source: undefined };
  return { chapters: fetched, source: match?.sources?.chapters };
}

export function storedSummary(
  fields: ComposedFields,
  title: string,
  content: StoredContent,
  measures: Measures,
  cover: Cover | null,
  chapterCount: number,
): StoredSummary {
  return {
    title,
    subtitle: fields.subtitle,
    authors: fields.authors,
    narrators: fields.narrators,
    series: fields.series,
    year: fields.year,
    publisher: fields.publisher,
    language: fields.language,
    asin: fields.asin,
    isbn: fields.isbn,
    durationSeconds: measures.durationSeconds,
    sizeBytes: measures.sizeBytes,
    format: measures.format,
    trackCount: content.tracks.length,
    chapterCount,
    hasCover: cover !== null,
  };
}

/** A row of `books` joined with its `summary`. */
export function summaryOf(row: Row, state: BookState): BookSummary {
  const stored: StoredSummary = JSON.parse(text(row, "summary"));
  return {
    id: text(row, "id"),
    rootId: text(row, "root_id"),
    path: text(row, "path"),
    state,
    ...stored,
    addedAt: text(row, "added_at"),
    changedAt: text(row, "changed_at"),
  };
}

export function keptLayers(row: Row): KeptLayers {
  const match = textOrNull(row, "match_layer");
  const user = textOrNull(row, "user_layer");
  return { match: match === null ? null : JSON.parse(match), user: user === null ? null : JSON.parse(user) };
}

/** A row of `books` joined with all of its document. */
export function bookOf(row: Row, state: BookState): Book {
  const {
    layers: scanned,
    titleIsBareName,
    tracks,
    provenance: scannedProvenance,
    ...content
  }: StoredContent = JSON.parse(text(row, "content"));
  const mtimes: readonly number[] = JSON.parse(text(row, "mtimes"));
  const kept = keptLayers(row);
  const layers = withKept({ layers: scanned, titleIsBareName }, kept);
  const { fields, provenance } = composeFields(layers);
  const cover = coverOf(content, kept.match);
  const chapters = chaptersOf({ ...content, provenance: scannedProvenance }, kept.match);
  const coverSource = cover?.kind === "fetched" ? (kept.match?.sources?.cover ?? "match") : undefined;
  const rootId = text(row, "root_id");
  const path = text(row, "path");
  const { durationSeconds, sizeBytes, format } = measure(tracks);
  return {
    id: text(row, "id"),
    rootId,
    path,
    state,
    ...fields,
    title: titleOf(fields, rootId, path),
    durationSeconds,
    sizeBytes,
    format,
    ...content,
    cover,
    chapters: chapters.chapters,
    tracks: tracks.map((track, index) => ({ ...track, mtimeMs: mtimes[index] ?? 0 })),
    reviewReason: textOrNull(row, "review_reason"),
    layers,
    provenance: {
      ...provenance,
      ...scannedProvenance,
      ...(coverSource === undefined ? {} : { cover: coverSource }),
      ...(chapters.source === undefined ? {} : { chapters: chapters.source }),
    },
    fingerprint: text(row, "fingerprint"),
    addedAt: text(row, "added_at"),
    changedAt: text(row, "changed_at"),
  };
}
