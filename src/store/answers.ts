import { rmSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError, toErrorRecord } from "../errors.ts";
import { databaseError } from "./catalogue-schema.ts";
import { freeBytes } from "./durable.ts";
import type { AnswerStore, StoreIssue } from "./ports.ts";

/** Beyond it those that expire first go first. */
const mostAnswers = 200_000;
const schemaVersion = 1;

export interface AnswerFile extends AnswerStore {
  close(): void;
}

/**
 * Opens the kept answers. They can all be asked for again, so a damaged file is made anew, and where none can be written
 * they are kept in memory; of a full disk others tell.
 */
export async function openAnswers(
  folder: string,
  nowMs: number,
  report: (issue: StoreIssue) => void,
): Promise<AnswerFile> {
  const file = path.join(folder, "answers.db");
  try {
    return openOrMakeAnew(file, nowMs);
  } catch (error) {
    if (!(await isFull(folder))) {
      report({
        store: "answers",
        severity: "warn",
        code: "read_only",
        message: `${file} cannot be used (${toErrorRecord(error).message}): what sources answer is kept until the runner stops`,
        remedy: "See that its folder can be written, then start again.",
      });
    }
    return new SqliteAnswers(":memory:", nowMs);
  }
}

/** A database with its log takes some 64 KB. */
const leastBytes = 256 * 1024;

async function isFull(folder: string): Promise<boolean> {
  const free = await freeBytes(folder).catch(() => leastBytes);
  return free < leastBytes;
}

function openOrMakeAnew(file: string, nowMs: number): AnswerFile {
  try {
    return new SqliteAnswers(file, nowMs);
  } catch (error) {
    const cause = databaseError(error, file);
    if (!(cause instanceof AppError && cause.code === "store_damaged")) throw error;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
    return new SqliteAnswers(file, nowMs);
  }
}

class SqliteAnswers implements AnswerFile {
  readonly #database: DatabaseSync;
  readonly #get;
  readonly #put;

  constructor(file: string, nowMs: number) {
    this.#database = new DatabaseSync(file);
    try {
      this.#database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
      const version = this.#database.prepare("PRAGMA user_version").get()?.["user_version"];
      if (version !== schemaVersion && version !== 0) {
        throw new AppError("store_damaged", `${file} was written by another version`);
      }
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
    try {
      const value = this.#get.get(key, nowMs)?.["value"];
      return typeof value === "string" ? value : null;
    } catch {
      // A page that is damaged: it is asked for again.
      return null;
    }
  }

  put(key: string, value: string, expiresMs: number): void {
    try {
      this.#put.run(key, value, expiresMs);
    } catch {
      // A full disk, or a page that is damaged: it is asked for again.
    }
  }

  close(): void {
    this.#database.close();
  }
}
