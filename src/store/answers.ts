import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { toErrorRecord } from "../errors.ts";
import type { AnswerStore, StoreIssue } from "./ports.ts";

/** Some 100 MB; beyond it those that expire first go first. */
const mostAnswers = 200_000;
const schemaVersion = 1;

export interface AnswerFile extends AnswerStore {
  close(): void;
}

/**
 * Opens the kept answers. They can all be asked for again, so a file that cannot be used is made anew, and where none
 * can be written they are kept in memory.
 */
export function openAnswers(file: string, nowMs: number, report: (issue: StoreIssue) => void): AnswerFile {
  try {
    return new SqliteAnswers(file, nowMs);
  } catch {
    try {
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
      return new SqliteAnswers(file, nowMs);
    } catch (error) {
      report({
        store: "answers",
        severity: "warn",
        code: "read_only",
        message: `${file} cannot be used (${toErrorRecord(error).message}): what sources answer is kept until the runner stops`,
        remedy: "See that its folder can be written and has space, then start again.",
      });
      return new SqliteAnswers(":memory:", nowMs);
    }
  }
}

class SqliteAnswers implements AnswerFile {
  readonly #database: DatabaseSync;
  readonly #get;
  readonly #put;

  constructor(file: string, nowMs: number) {
    this.#database = new DatabaseSync(file);
    try {
      this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA quick_check");
      const version = this.#database.prepare("PRAGMA user_version").get()?.["user_version"];
      if (version !== schemaVersion && version !== 0) throw new Error("another version wrote it");
      this.#database.exec(`
        CREATE TABLE IF NOT EXISTS answers (
          key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires);
        PRAGMA user_version = ${schemaVersion};`);
      this.#get = this.#database.prepare("SELECT value FROM answers WHERE key = ? AND expires > ?");
      this.#put = this.#database.prepare("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)");
      this.#database.prepare("DELETE FROM answers WHERE expires <= ?").run(nowMs);
      this.#database
        .prepare(`
          DELETE FROM answers WHERE key IN (
            SELECT key FROM answers ORDER BY expires DESC LIMIT -1 OFFSET ?)`)
        .run(mostAnswers);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  get(key: string, nowMs: number): string | null {
    const value = this.#get.get(key, nowMs)?.["value"];
    return typeof value === "string" ? value : null;
  }

  put(key: string, value: string, expiresMs: number): void {
    try {
      this.#put.run(key, value, expiresMs);
    } catch {
      // A full disk: it is asked for again.
    }
  }

  close(): void {
    this.#database.close();
  }
}
