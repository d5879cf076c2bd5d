import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { BookState } from "../domain/book.ts";
import type { BookPage, BookQuery, BookSort } from "../domain/catalogue.ts";
import { foldText } from "../domain/text.ts";
import {
  integer,
  kinds,
  type OwnState,
  ownState,
  type Row,
  stateNumber,
  summaryOf,
  text,
} from "./catalogue-rows.ts";
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
 * Up to this many matches are sorted; with more it is cheaper to walk the order's index and keep what matches
 * (measured with 50,000 books).
 */
const sortUpTo = 2000;

/** Which roots are offline, as far as a query is concerned. */
export interface RootStates {
  /** The roots among the given ones whose books are offline. */
  isOffline(rootId: string): boolean;
}

interface Condition {
  readonly sql: string;
  readonly values: readonly SQLInputValue[];
}

/** Answers queries of one database; keeps its statements, of which there are a few dozen forms. */
export class CatalogueReader {
  readonly #database: DatabaseSync;
  readonly #roots: RootStates;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, roots: RootStates) {
    this.#database = database;
    this.#roots = roots;
  }

  page(query: BookQuery): BookPage {
    const matches = matchConditions(query);
    if (matches === null) return { items: [], total: 0 };
    const states = this.#stateConditions(query.state);
    if (states === null) return { items: [], total: 0 };
    const conditions = [...matches, ...states];
    const total = this.#count(conditions);
    if (query.offset >= total) return { items: [], total };
    const numbers = this.#numbers(query, conditions, total, matches.length > 0 && total <= sortUpTo);
    const items = numbers.map((number) => this.summary(number)).filter((item) => item !== null);
    return { items, total };
  }

  summary(number: number): ReturnType<typeof summaryOf> | null {
    const row = this.#prepare(
      "SELECT books.*, summary FROM books JOIN book_documents ON book = number WHERE number = ?",
    ).get(number);
    return row === undefined ? null : summaryOf(row, this.stateOf(row));
  }

  stateOf(row: Row): BookState {
    return this.#roots.isOffline(text(row, "root_id")) ? "offline" : ownState(row);
  }

  #count(conditions: readonly Condition[]): number {
    const { sql, values } = and(conditions);
    const row = this.#prepare(`SELECT count(*) AS count FROM books WHERE ${sql}`).get(...values);
    return integer(row ?? {}, "count");
  }

  /** The books of a page, walked to from the nearer end. */
  #numbers(
    query: BookQuery,
    conditions: readonly Condition[],
    total: number,
    isSorted: boolean,
  ): readonly number[] {
    const sort = query.sort ?? "title";
    const limit = Math.min(query.limit, total - query.offset);
    const fromEnd = query.offset > total / 2;
    const offset = fromEnd ? total - query.offset - limit : query.offset;
    const order = orders[sort].map((column) => `${column} ${fromEnd ? "DESC" : "ASC"}`).join(", ");
    const { sql, values } = and(conditions);
    const source = isSorted ? "books" : `books INDEXED BY books_by_${sort}`;
    // With a plus SQLite tests the membership row by row, instead of visiting the matches and sorting them.
    const where = isSorted ? sql : sql.replaceAll("number IN", "+number IN");
    const rows = this.#prepare(
      `SELECT number FROM ${source} WHERE ${where} ORDER BY ${order} LIMIT ? OFFSET ?`,
    ).all(...values, limit, offset);
    const numbers = rows.map((row) => integer(row, "number"));
    return fromEnd ? numbers.reverse() : numbers;
  }

  /** Null where no book can be in that state. */
  #stateConditions(state: BookState | undefined): readonly Condition[] | null {
    if (state === undefined) return [];
    const offline = this.#offlineRoots();
    if (state === "offline") return offline.length === 0 ? null : [inRoots("IN", offline)];
    const own: Condition = { sql: `state = ${stateNumber(state satisfies OwnState)}`, values: [] };
    return offline.length === 0 ? [own] : [own, inRoots("NOT IN", offline)];
  }

  #offlineRoots(): readonly string[] {
    const rows = this.#prepare("SELECT root_id FROM root_totals").all();
    return rows.map((row) => text(row, "root_id")).filter((rootId) => this.#roots.isOffline(rootId));
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Null where nothing can match. */
function matchConditions(query: BookQuery): readonly Condition[] | null {
  const conditions: Condition[] = [];
  if (isGiven(query.text)) {
    const expression = matchExpression(query.text);
    if (expression === null) return null;
    conditions.push({
      sql: "number IN (SELECT rowid FROM book_text WHERE book_text MATCH ?)",
      values: [expression],
    });
  }
  const named = {
    [kinds.author]: query.author,
    [kinds.narrator]: query.narrator,
    [kinds.series]: query.series,
  };
  for (const [kind, name] of Object.entries(named)) {
    if (!isGiven(name)) continue;
    const folded = foldText(name);
    if (folded === "") return null;
    conditions.push({
      sql: `number IN (SELECT book FROM book_names WHERE kind = ${kind} AND name IN
        (SELECT number FROM names WHERE instr(name_key, ?)))`,
      values: [folded],
    });
  }
  return conditions;
}

function isGiven(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== "";
}

function inRoots(operator: "IN" | "NOT IN", rootIds: readonly string[]): Condition {
  return { sql: `root_id ${operator} (SELECT value FROM json_each(?))`, values: [JSON.stringify(rootIds)] };
}

function and(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: "true", values: [] };
  return {
    sql: conditions.map((condition) => condition.sql).join(" AND "),
    values: conditions.flatMap((condition) => condition.values),
  };
}
