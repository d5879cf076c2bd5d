import type { DatabaseSync } from "node:sqlite";
import type { LibraryTotals } from "../domain/catalogue.ts";
import { kinds, type OwnState, prepareAll } from "./catalogue-rows.ts";

/** What one book adds to the totals of its root. */
export interface BookWeight {
  readonly rootId: string;
  readonly state: OwnState;
  readonly fileCount: number;
  readonly sizeBytes: number;
  readonly durationMs: number;
  /** Numbers of its authors' and series' names. */
  readonly authors: readonly number[];
  readonly series: readonly number[];
}

interface Sums {
  books: number;
  files: number;
  bytes: number;
  durationMs: number;
  missing: number;
  needsReview: number;
  /** `kind/name` to the number of books it gained or lost. */
  readonly names: Map<string, number>;
}

/** Gathers what a transaction changes, and writes it once at its end: a row per root and name, not per book. */
export class TotalsDelta {
  readonly #roots = new Map<string, Sums>();
  readonly #statements;

  constructor(database: DatabaseSync) {
    this.#statements = prepareAll(database, sql);
  }

  replace(before: BookWeight | null, after: BookWeight | null): void {
    if (before !== null) this.#add(before, -1);
    if (after !== null) this.#add(after, 1);
  }

  write(): void {
    const { addToRoot, addToName, removeEmptyName } = this.#statements;
    for (const [rootId, sums] of this.#roots) {
      const { books, files, bytes, durationMs, missing, needsReview } = sums;
      addToRoot.run(rootId, books, files, bytes, durationMs, missing, needsReview);
      for (const [key, change] of sums.names) {
        const [kind = "", name = ""] = key.split("/");
        if (change === 0) continue;
        addToName.run(Number(kind), rootId, Number(name), change);
        if (change < 0) removeEmptyName.run(Number(kind), rootId, Number(name));
      }
    }
    this.clear();
  }

  clear(): void {
    this.#roots.clear();
  }

  #add(weight: BookWeight, sign: 1 | -1): void {
    const sums = this.#sumsOf(weight.rootId);
    if (weight.state === "missing") {
      sums.missing += sign;
      return;
    }
    if (weight.state === "needs_review") sums.needsReview += sign;
    sums.books += sign;
    sums.files += sign * weight.fileCount;
    sums.bytes += sign * weight.sizeBytes;
    sums.durationMs += sign * weight.durationMs;
    for (const name of new Set(weight.authors)) count(sums.names, `${kinds.author}/${name}`, sign);
    for (const name of new Set(weight.series)) count(sums.names, `${kinds.series}/${name}`, sign);
  }

  #sumsOf(rootId: string): Sums {
    const known = this.#roots.get(rootId);
    if (known !== undefined) return known;
    const sums: Sums = {
      books: 0,
      files: 0,
      bytes: 0,
      durationMs: 0,
      missing: 0,
      needsReview: 0,
      names: new Map(),
    };
    this.#roots.set(rootId, sums);
    return sums;
  }
}

function count(counts: Map<string, number>, key: string, change: number): void {
  counts.set(key, (counts.get(key) ?? 0) + change);
}

const sql = {
  addToRoot: `
    INSERT INTO root_totals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (root_id) DO UPDATE SET books = books + ?2, files = files + ?3, bytes = bytes + ?4,
      duration_ms = duration_ms + ?5, missing = missing + ?6, needs_review = needs_review + ?7`,
  addToName: `
    INSERT INTO name_totals VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (kind, root_id, name) DO UPDATE SET books = books + ?4`,
  removeEmptyName: "DELETE FROM name_totals WHERE kind = ? AND root_id = ? AND name = ? AND books <= 0",
} as const;

/**
 * The totals of each root and of all together, offline ones counting nothing. A name that several roots have is
 * one author, one series. Costs a scan of the distinct names, not of the books.
 */
export function readTotals(
  database: DatabaseSync,
  rootIds: readonly string[],
  isOffline: (rootId: string) => boolean,
): LibraryTotals & { readonly roots: Readonly<Record<string, LibraryTotals>> } {
  const online = (among: readonly string[]): readonly string[] =>
    among.filter((rootId) => !isOffline(rootId));
  const totals = (among: readonly string[]): LibraryTotals => ({
    ...totalsOf(database, online(among)),
    lastScan: lastScanOf(database, among),
  });
  const roots = rootIds.map((rootId) => [rootId, totals([rootId])] as const);
  return { ...totals(rootIds), roots: Object.fromEntries(roots) };
}

function totalsOf(database: DatabaseSync, rootIds: readonly string[]): Omit<LibraryTotals, "lastScan"> {
  const among = JSON.stringify(rootIds);
  const sums = database
    .prepare(`
      SELECT coalesce(sum(books), 0) AS books, coalesce(sum(files), 0) AS files,
        coalesce(sum(bytes), 0) AS bytes, coalesce(sum(duration_ms), 0) AS durationMs,
        coalesce(sum(missing), 0) AS missing, coalesce(sum(needs_review), 0) AS needsReview
      FROM root_totals WHERE root_id IN (SELECT value FROM json_each(?))`)
    .get(among);
  const number = (name: string): number => Number(sums?.[name] ?? 0);
  return {
    books: number("books"),
    authors: countNames(database, kinds.author, rootIds),
    series: countNames(database, kinds.series, rootIds),
    files: number("files"),
    bytes: number("bytes"),
    durationSeconds: number("durationMs") / 1000,
    missing: number("missing"),
    needsReview: number("needsReview"),
  };
}

function lastScanOf(database: DatabaseSync, rootIds: readonly string[]): string | null {
  const row = database
    .prepare("SELECT max(ended_at) AS at FROM scans WHERE root_id IN (SELECT value FROM json_each(?))")
    .get(JSON.stringify(rootIds));
  const at = row?.["at"];
  return typeof at === "string" ? at : null;
}

function countNames(database: DatabaseSync, kind: number, rootIds: readonly string[]): number {
  const counted = rootIds.length === 1 ? "count(*)" : "count(DISTINCT name)";
  const row = database
    .prepare(`
      SELECT ${counted} AS count FROM name_totals
      WHERE kind = ? AND root_id IN (SELECT value FROM json_each(?))`)
    .get(kind, JSON.stringify(rootIds));
  return Number(row?.["count"] ?? 0);
}
