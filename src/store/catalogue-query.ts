import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { BookState, BookSummary } from "../domain/book.ts";
import type { BookPage, BookQuery, BookSort, SeriesPlacePage } from "../domain/catalogue.ts";
import { foldText } from "../domain/text.ts";
import { BookOrders, pageOf } from "./book-orders.ts";
import {
  integer,
  kinds,
  ownState,
  type Row,
  stateNumber,
  summaryOf,
  text,
  textOrNull,
} from "./catalogue-rows.ts";
import { NameFinder } from "./name-finder.ts";
import { matchExpression } from "./search-text.ts";

/** Each order has an index of the same columns, `books_by_<sort>`. */
const orders: Readonly<Record<BookSort, readonly string[]>> = {
  title: ["title_key", "number"],
  author: ["author_key", "title_key", "number"],
  series: ["series_key", "position_key", "title_key", "number"],
  added: ["added_at", "title_key", "number"],
  duration: ["duration_ms", "title_key", "number"],
};

/**
 * Looking a match up to sort it costs as much as this many steps in an order's index, which is the other way to
 * a page: to walk the index and keep what matches (measured with 50,000 books).
 */
const stepsPerLookup = 15;

/** SQL with the values of its parameters. */
interface Part {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** Books in question: those in all of the `within` (each a SELECT of numbers) and in none of the `without`. */
interface Selection {
  readonly within: readonly Part[];
  readonly without: readonly Part[];
}

/** Answers queries; keeps its statements, of which there are a few dozen forms. */
export class CatalogueReader {
  readonly #database: DatabaseSync;
  readonly #isOffline: (rootId: string) => boolean;
  readonly #names: NameFinder;
  readonly #orders: BookOrders;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, isOffline: (rootId: string) => boolean, generation: () => number) {
    this.#database = database;
    this.#isOffline = isOffline;
    this.#names = new NameFinder(database);
    this.#orders = new BookOrders(database, generation);
  }

  page(query: BookQuery): BookPage {
    const matches = this.#matches(query);
    if (matches === null) return { items: [], total: 0 };
    const [first, ...others] = matches;
    const { total, numbers } =
      first === undefined ? this.#pageOfAll(query) : this.#pageOfMatches(query, [first, ...others]);
    return { items: this.summaries(numbers), total };
  }

  /** In the order of the numbers. */
  summaries(numbers: readonly number[]): readonly BookSummary[] {
    const statement = this.#prepare(
      "SELECT books.*, summary FROM books JOIN book_documents ON book = number WHERE number = ?",
    );
    const rows = numbers.map((number) => statement.get(number)).filter((row) => row !== undefined);
    return rows.map((row) => summaryOf(row, this.stateOf(row)));
  }

  /** Books that are not missing, newest first. */
  newest(limit: number): readonly BookSummary[] {
    const rows = this.#prepare(`
      SELECT number FROM books INDEXED BY books_by_added WHERE state <> ?
      ORDER BY added_at DESC, title_key DESC, number DESC LIMIT ?`).all(stateNumber("missing"), limit);
    return this.summaries(rows.map((row) => integer(row, "number")));
  }

  seriesPlaces(after: number, limit: number): SeriesPlacePage {
    const end = this.#prepare(`
      SELECT max(number) AS last, count(*) AS books
      FROM (SELECT number FROM books WHERE number > ? ORDER BY number LIMIT ?)`).get(after, limit);
    if (end === undefined || integer(end, "books") === 0) return { places: [], next: null };
    const next = integer(end, "last");
    const rows = this.#prepare(`
      SELECT books.id, each.value ->> 'name' AS series, each.value ->> 'position' AS position,
        summary ->> '$.authors[0]' AS author
      FROM books JOIN book_documents ON book = number, json_each(summary, '$.series') AS each
      WHERE number > ? AND number <= ? AND state <> ? ORDER BY number`).all(
      after,
      next,
      stateNumber("missing"),
    );
    const places = rows.map((row) => ({
      bookId: text(row, "id"),
      series: text(row, "series"),
      position: textOrNull(row, "position"),
      author: textOrNull(row, "author"),
    }));
    return { places, next: integer(end, "books") < limit ? null : next };
  }

  stateOf(row: Row): BookState {
    return this.#isOffline(text(row, "root_id")) ? "offline" : ownState(row);
  }

  /** Null where nothing can match. */
  #matches(query: BookQuery): readonly Part[] | null {
    const parts: Part[] = [];
    if (isGiven(query.text)) {
      const expression = matchExpression(query.text);
      if (expression === null) return null;
      const sql = "SELECT rowid AS number FROM book_text WHERE book_text MATCH ?";
      parts.push({ sql, values: [expression] });
    }
    const named = [
      [kinds.author, query.author],
      [kinds.narrator, query.narrator],
      [kinds.series, query.series],
    ] as const;
    for (const [kind, name] of named) {
      if (!isGiven(name)) continue;
      const folded = foldText(name);
      const names = folded === "" ? [] : this.#names.find(folded);
      if (names.length === 0) return null;
      const sql = `SELECT book AS number FROM book_names WHERE kind = ${kind}
        AND name IN (SELECT value FROM json_each(?))`;
      parts.push({ sql, values: [JSON.stringify(names)] });
    }
    return parts;
  }

  /** The totals say how many there are, so only the page is looked for. */
  #pageOfAll(query: BookQuery): { readonly total: number; readonly numbers: readonly number[] } {
    const { state } = query;
    const offline = this.#offlineRoots();
    const total = this.#countAll(state, offline);
    const conditions: Part[] = [];
    if (state === "offline") conditions.push(inRoots("IN", offline));
    else if (state !== undefined) {
      // The index of what is not simply present is partial, and used where its condition is said again.
      const own = state === "present" ? "state = 0" : `state <> 0 AND state = ${stateNumber(state)}`;
      conditions.push({ sql: own, values: [] });
      if (offline.length > 0) conditions.push(inRoots("NOT IN", offline));
    }
    return { total, numbers: this.#order(query, conditions, total) };
  }

  #countAll(state: BookState | undefined, offline: readonly string[]): number {
    const counted = {
      all: "books + missing",
      offline: "books + missing",
      present: "books - needs_review",
      needs_review: "needs_review",
      missing: "missing",
    }[state ?? "all"];
    const roots =
      state === undefined
        ? { sql: "true", values: [] }
        : inRoots(state === "offline" ? "IN" : "NOT IN", offline);
    const row = this.#prepare(
      `SELECT coalesce(sum(${counted}), 0) AS count FROM root_totals WHERE ${roots.sql}`,
    ).get(...roots.values);
    return integer(row ?? {}, "count");
  }

  #pageOfMatches(
    query: BookQuery,
    matches: readonly [Part, ...Part[]],
  ): { readonly total: number; readonly numbers: readonly number[] } {
    const { within, without } = this.#selectionOf(query.state);
    const [first, ...rest] = matches;
    const others = [...rest, ...within];
    const tests = [
      ...others.map((part) => `number IN (${part.sql})`),
      ...without.map((part) => `number NOT IN (${part.sql})`),
    ];
    const sql = `SELECT DISTINCT number FROM (${first.sql}) WHERE ${["true", ...tests].join(" AND ")}`;
    const row = this.#prepare(
      `SELECT count(*) AS count, json_group_array(number) AS numbers FROM (${sql})`,
    ).get(...[first, ...others, ...without].flatMap((part) => part.values));
    const total = integer(row ?? {}, "count");
    if (total === 0) return { total, numbers: [] };
    const matching = text(row ?? {}, "numbers");
    const order = this.#isFew(query, total) ? null : this.#orderOf(query);
    if (order !== null) {
      return { total, numbers: pageOf(order, JSON.parse(matching), query.offset, query.limit) };
    }
    const matched: Part = { sql: "number IN (SELECT value FROM json_each(?))", values: [matching] };
    return { total, numbers: this.#order(query, [matched], total) };
  }

  #selectionOf(state: BookState | undefined): Selection {
    if (state === undefined) return { within: [], without: [] };
    const offline = this.#offlineRoots();
    const roots = inRoots("IN", offline);
    const inOffline: Part = { sql: `SELECT number FROM books WHERE ${roots.sql}`, values: roots.values };
    if (state === "offline") return { within: [inOffline], without: [] };
    const without = offline.length === 0 ? [] : [inOffline];
    const special = "SELECT number FROM books WHERE state <> 0";
    if (state === "present") return { within: [], without: [...without, { sql: special, values: [] }] };
    return { within: [{ sql: `${special} AND state = ${stateNumber(state)}`, values: [] }], without };
  }

  /** A page of what meets the conditions, walked to from the nearer end. */
  #order(query: BookQuery, conditions: readonly Part[], total: number): readonly number[] {
    if (query.offset >= total) return [];
    const sort = query.sort ?? "title";
    const limit = Math.min(query.limit, total - query.offset);
    const fromEnd = isNearerEnd(query, total);
    const offset = fromEnd ? total - query.offset - limit : query.offset;
    const isFew = this.#isFew(query, total);
    const order = orders[sort].map((column) => `${column} ${fromEnd ? "DESC" : "ASC"}`).join(", ");
    const where = ["true", ...conditions.map((condition) => condition.sql)].join(" AND ");
    const source = isFew ? "books" : `books INDEXED BY books_by_${sort}`;
    // With a plus SQLite tests the membership row by row, instead of visiting the matches and sorting them.
    const tested = isFew ? where : where.replaceAll("number IN", "+number IN");
    const rows = this.#prepare(
      `SELECT number FROM ${source} WHERE ${tested} ORDER BY ${order} LIMIT ? OFFSET ?`,
    ).all(...conditions.flatMap((condition) => condition.values), limit, offset);
    const numbers = rows.map((row) => integer(row, "number"));
    return fromEnd ? numbers.reverse() : numbers;
  }

  #orderOf({ sort = "title" }: BookQuery): Int32Array | null {
    return this.#orders.get(sort, orders[sort]);
  }

  /** Fewer matches than it pays to walk an order for. */
  #isFew(query: BookQuery, total: number): boolean {
    const behind = isNearerEnd(query, total) ? total - query.offset : query.offset + query.limit;
    return total * stepsPerLookup < (behind * this.#countAll(undefined, [])) / total;
  }

  #offlineRoots(): readonly string[] {
    const rows = this.#prepare("SELECT root_id FROM root_totals").all();
    return rows.map((row) => text(row, "root_id")).filter((rootId) => this.#isOffline(rootId));
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function isNearerEnd({ offset }: BookQuery, total: number): boolean {
  return offset > total / 2;
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value.trim() !== "";
}

function inRoots(operator: "IN" | "NOT IN", rootIds: readonly string[]): Part {
  return { sql: `root_id ${operator} (SELECT value FROM json_each(?))`, values: [JSON.stringify(rootIds)] };
}
