import type { DatabaseSync, StatementSync } from "node:sqlite";
import { text } from "./catalogue-rows.ts";

/**
 * Finds names by any part of them. All names lie in one string, because to look through 30,000 of them in SQL
 * takes several milliseconds and here a tenth of one; they need about 30 bytes each. Names are only ever added,
 * so what is new is read behind what is known.
 */
export class NameFinder {
  readonly #following: StatementSync;
  readonly #numbers: number[] = [];
  /** Where each name begins in `#all`. */
  readonly #starts: number[] = [];
  #all = "";

  constructor(database: DatabaseSync) {
    // Two texts instead of a row per name: the first look reads all of them.
    this.#following = database.prepare(`
      SELECT json_group_array(number) AS numbers, json_group_array(name_key) AS keys
      FROM (SELECT number, name_key FROM names WHERE number > ? ORDER BY number)`);
  }

  /** The numbers of the names that hold this folded text. */
  find(part: string): readonly number[] {
    this.#readNew();
    const found: number[] = [];
    let at = this.#all.indexOf(part);
    while (at !== -1) {
      const index = this.#indexAt(at);
      found.push(this.#numbers[index] ?? 0);
      const next = this.#starts[index + 1];
      at = next === undefined ? -1 : this.#all.indexOf(part, next);
    }
    return found;
  }

  #readNew(): void {
    const row = this.#following.get(this.#numbers.at(-1) ?? 0) ?? {};
    const numbers: readonly number[] = JSON.parse(text(row, "numbers"));
    const keys: readonly string[] = JSON.parse(text(row, "keys"));
    let added = "";
    for (const [index, key] of keys.entries()) {
      this.#numbers.push(numbers[index] ?? 0);
      this.#starts.push(this.#all.length + added.length);
      added += `${key}\n`;
    }
    this.#all += added;
  }

  #indexAt(position: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
