import { readFile } from "node:fs/promises";
import path from "node:path";
import type { z } from "zod";
import { AppError, systemCode } from "../errors.ts";
import { keepDamagedCopy, writeDurably } from "./durable.ts";
import type { StoreIssue } from "./ports.ts";

/** One small value in a file of its own. */
export interface JsonFile<T> {
  get(): T;
  /** Durable when it resolves, and in force only then. Throws `read_only` where the disk refuses it. */
  put(change: Partial<T>): Promise<void>;
}

interface Options<T> {
  readonly folder: string;
  /** Of the file, without `.json`. */
  readonly name: string;
  readonly schemaVersion: number;
  readonly shape: z.ZodType<T>;
  readonly initial: T;
  /** What follows from its being damaged, and what to do. */
  readonly whenDamaged: { readonly message: string; readonly remedy: string };
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
}

/** Opens `<name>.json`. One that cannot be understood is kept beside it, reported, and counts as not there. */
export async function openJsonFile<T extends object>(options: Options<T>): Promise<JsonFile<T>> {
  const { name, shape, schemaVersion, whenDamaged } = options;
  const file = path.join(options.folder, `${name}.json`);
  let value = options.initial;
  let written: Promise<void> = Promise.resolve();
  try {
    const { schemaVersion: version, ...kept } = JSON.parse(await readFile(file, "utf8"));
    if (version !== schemaVersion)
      throw new Error(`it has the form ${version}, and this version knows ${schemaVersion}`);
    value = shape.parse(kept);
  } catch (error) {
    if (systemCode(error) !== "ENOENT") await reportDamage(error);
  }

  async function reportDamage(error: unknown): Promise<void> {
    const copy = await keepDamagedCopy(file, options.now()).catch(() => null);
    options.report({
      store: name,
      severity: "warn",
      code: "store_damaged",
      message: `${file} cannot be understood (${messageOf(error)}): ${whenDamaged.message}`,
      remedy: `${whenDamaged.remedy}${copy === null ? "" : `; what it held is in ${copy}`}.`,
    });
  }

  async function write(change: Partial<T>): Promise<void> {
    const next = { ...value, ...change };
    try {
      await writeDurably(file, `${JSON.stringify({ schemaVersion, ...next })}\n`);
    } catch (cause) {
      const message = `${file} cannot be written (${messageOf(cause)}), so nothing was changed`;
      throw new AppError("read_only", message, { cause, retryable: true });
    }
    value = next;
  }

  return {
    get: () => value,
    put: (change) => {
      const put = () => write(change);
      written = written.then(put, put);
      return written;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.split("\n", 1).join("") : String(error);
}
