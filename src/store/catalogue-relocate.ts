import type { DatabaseSync } from "node:sqlite";
import type { Companion, Track } from "../domain/book.ts";
import type { UnitEntry } from "../domain/catalogue.ts";
import { compareNames, pathSortKey } from "../domain/order.ts";
import { placeText, type RelocatedFile, type Relocation, type RootPath } from "../domain/organize.ts";
import { packEntries, unpackEntries } from "./catalogue-entries.ts";
import { integer, ownState, prepareAll, type Row, type StoredContent, text } from "./catalogue-rows.ts";

/** A stored unit on its way through a transaction. */
interface OpenUnit {
  readonly rootId: string;
  readonly path: string;
  readonly number: number | null;
  readonly signature: string;
  readonly entries: Map<string, UnitEntry>;
  bookCount: number;
  isChanged: boolean;
}

/** What a relocation makes of a book's content. */
export interface RelocatedContent {
  readonly content: StoredContent;
  readonly mtimes: readonly number[];
}

/**
 * Matches no unit, so the next scan looks at it again; what was read from its files is known by their sizes and
 * times, and is not read again.
 */
const lookAgain = "";

/**
 * Lets units, origins and recorded hashes follow what organizing moved. One object per transaction: `write` puts down
 * the units that it changed.
 */
export class UnitRelocation {
  readonly #statements;
  readonly #units = new Map<string, OpenUnit>();

  constructor(database: DatabaseSync) {
    this.#statements = prepareAll(database, sql);
  }

  /** `row` is the book's, as it was before. */
  move(row: Row, relocation: Relocation, operationId: string): void {
    const isThere = ownState(row) !== "missing";
    const source = this.#unit({ rootId: text(row, "root_id"), path: text(row, "unit_path") });
    const target = this.#unit({ rootId: relocation.to.rootId, path: relocation.to.unitPath });
    if (isThere) source.bookCount = Math.max(0, source.bookCount - 1);
    target.bookCount++;
    for (const file of relocation.files) {
      const entry = this.#take(source, file, relocation.sourceStays);
      this.#put(target, file, entry);
      this.#statements.forgetPlaced.run(file.from.rootId, file.from.path);
      if (file.sha256 === null) continue;
      const { to, sizeBytes, mtimeMs, sha256 } = file;
      this.#statements.putPlaced.run(
        to.rootId,
        to.path,
        sha256,
        sizeBytes,
        mtimeMs,
        relocation.bookId,
        operationId,
      );
    }
  }

  write(): void {
    for (const unit of this.#units.values()) this.#write(unit);
  }

  #take(source: OpenUnit, { from }: RelocatedFile, stays: boolean): UnitEntry | undefined {
    const name = nameIn(source, from);
    const entry = name === null ? undefined : source.entries.get(name);
    if (entry === undefined || name === null) return entry;
    if (stays) {
      const { sizeBytes, mtimeMs } = entry.file;
      this.#statements.putOrigin.run(source.rootId, source.path, name, sizeBytes, mtimeMs);
    } else {
      source.entries.delete(name);
      source.isChanged = true;
    }
    return entry;
  }

  #put(target: OpenUnit, { to, sizeBytes, mtimeMs }: RelocatedFile, entry: UnitEntry | undefined): void {
    const name = nameIn(target, to);
    if (name === null) return;
    this.#statements.forgetOrigin.run(target.rootId, target.path, name);
    const known = target.entries.get(name);
    const isKnown = known?.file.sizeBytes === sizeBytes && known.file.mtimeMs === mtimeMs;
    if (isKnown) return;
    target.entries.set(name, { file: { name, sizeBytes, mtimeMs }, result: entry?.result ?? null });
    target.isChanged = true;
  }

  #unit(place: RootPath): OpenUnit {
    const key = placeText(place);
    const known = this.#units.get(key);
    if (known !== undefined) return known;
    const row = this.#statements.findUnit.get(place.rootId, pathSortKey(place.path));
    const entries = row === undefined ? [] : unpackEntries(text(row, "entries"));
    const unit: OpenUnit = {
      ...place,
      number: row === undefined ? null : integer(row, "number"),
      signature: row === undefined ? lookAgain : text(row, "signature"),
      entries: new Map(entries.map((entry) => [entry.file.name, entry])),
      bookCount: row === undefined ? 0 : integer(row, "book_count"),
      isChanged: false,
    };
    this.#units.set(key, unit);
    return unit;
  }

  #write({ rootId, path, number, signature, entries, bookCount, isChanged }: OpenUnit): void {
    const left = [...entries.values()].sort((a, b) => compareNames(a.file.name, b.file.name));
    if (!left.some(({ result }) => result !== null)) {
      if (number === null) return;
      this.#statements.removeEntries.run(number);
      this.#statements.removeUnit.run(number);
      this.#statements.forgetOrigins.run(rootId, path);
      return;
    }
    const now = isChanged ? lookAgain : signature;
    if (number === null) {
      const added = this.#statements.addUnit.run(rootId, pathSortKey(path), path, now, bookCount);
      this.#statements.addEntries.run(added.lastInsertRowid, packEntries(left));
      return;
    }
    this.#statements.putUnit.run(now, bookCount, number);
    if (isChanged) this.#statements.putEntries.run(packEntries(left), number);
  }
}

/** The book's content at its new place. Files that did not come along are no longer its own. */
export function relocatedContent(row: Row, { files, to }: Relocation): RelocatedContent {
  const rootId = text(row, "root_id");
  const content: StoredContent = JSON.parse(text(row, "content"));
  const mtimes: readonly number[] = JSON.parse(text(row, "mtimes"));
  const moved = new Map(files.map((file) => [placeText(file.from), file]));
  const find = (path: string): RelocatedFile | undefined => moved.get(placeText({ rootId, path }));
  const stays = rootId === to.rootId;
  const tracks: Omit<Track, "mtimeMs">[] = [];
  const newMtimes: number[] = [];
  for (const [index, track] of content.tracks.entries()) {
    const file = find(track.path);
    if (file === undefined && !stays) continue;
    tracks.push(file === undefined ? track : { ...track, path: file.to.path, sizeBytes: file.sizeBytes });
    newMtimes.push(file?.mtimeMs ?? mtimes[index] ?? 0);
  }
  const companions = content.companions.flatMap((companion): readonly Companion[] => {
    const file = find(companion.path);
    if (file === undefined) return stays ? [companion] : [];
    return [{ ...companion, path: file.to.path, sizeBytes: file.sizeBytes }];
  });
  const cover =
    content.cover === null
      ? null
      : (find(content.cover.path)?.to.path ?? (stays ? content.cover.path : null));
  return {
    content: {
      ...content,
      reason: to.path === to.unitPath ? "folder" : tracks.length === 1 ? "album_per_file" : "album_in_folder",
      tracks,
      companions,
      cover: content.cover === null || cover === null ? null : { ...content.cover, path: cover },
    },
    mtimes: newMtimes,
  };
}

/** The file's name in the unit; null where it lies elsewhere. */
function nameIn(unit: OpenUnit, { rootId, path }: RootPath): string | null {
  if (rootId !== unit.rootId) return null;
  if (unit.path === "") return path;
  return path.startsWith(`${unit.path}/`) ? path.slice(unit.path.length + 1) : null;
}

const sql = {
  findUnit: `
    SELECT number, signature, book_count, entries FROM units JOIN unit_entries ON unit = number
    WHERE root_id = ? AND path_key = ?`,
  addUnit: "INSERT INTO units (root_id, path_key, path, signature, book_count) VALUES (?, ?, ?, ?, ?)",
  putUnit: "UPDATE units SET signature = ?, book_count = ? WHERE number = ?",
  removeUnit: "DELETE FROM units WHERE number = ?",
  addEntries: "INSERT INTO unit_entries VALUES (?, ?)",
  putEntries: "UPDATE unit_entries SET entries = ? WHERE unit = ?",
  removeEntries: "DELETE FROM unit_entries WHERE unit = ?",
  putOrigin: "INSERT OR REPLACE INTO origins VALUES (?, ?, ?, ?, ?)",
  forgetOrigin: "DELETE FROM origins WHERE root_id = ? AND unit_path = ? AND name = ?",
  forgetOrigins: "DELETE FROM origins WHERE root_id = ? AND unit_path = ?",
  putPlaced: "INSERT OR REPLACE INTO placed_files VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
  forgetPlaced: "DELETE FROM placed_files WHERE root_id = ? AND path = ?",
} as const;
