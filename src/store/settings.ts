import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { operationKinds } from "../domain/operation.ts";
import { strategies } from "../domain/organize.ts";
import { AppError, systemCode } from "../errors.ts";
import { keepDamagedCopy, writeDurably } from "./durable.ts";
import type { StoreIssue } from "./ports.ts";

const settingsFields = z.strictObject({
  schemaVersion: z.literal(1),
  paused: z.strictObject({ all: z.boolean(), kinds: z.array(z.enum(operationKinds)) }),
  scanConcurrency: z.int().min(1).nullable(),
  operationConcurrency: z.int().min(1).nullable(),
  organizeStrategy: z.enum(strategies).nullable(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).nullable(),
});

/** What people have set while it runs, over the configuration; null for what they have not. */
export type KeptSettings = Readonly<Omit<z.infer<typeof settingsFields>, "schemaVersion">>;

export interface SettingsStore {
  get(): KeptSettings;
  /** Durable when it resolves, and in force only then. Throws `read_only` where the disk refuses it. */
  put(change: Partial<KeptSettings>): Promise<void>;
}

const nothingSet: KeptSettings = {
  paused: { all: false, kinds: [] },
  scanConcurrency: null,
  operationConcurrency: null,
  organizeStrategy: null,
  logLevel: null,
};

interface Options {
  readonly folder: string;
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
}

/** Opens `settings.json`. One that cannot be understood is kept beside it, reported, and counts as empty. */
export async function openSettings({ folder, now, report }: Options): Promise<SettingsStore> {
  const file = path.join(folder, "settings.json");
  let settings = nothingSet;
  let written: Promise<void> = Promise.resolve();
  try {
    const { schemaVersion: _, ...kept } = settingsFields.parse(JSON.parse(await readFile(file, "utf8")));
    settings = kept;
  } catch (error) {
    if (systemCode(error) !== "ENOENT") await reportDamage(error);
  }

  async function reportDamage(error: unknown): Promise<void> {
    const copy = await keepDamagedCopy(file, now()).catch(() => null);
    report({
      store: "settings",
      severity: "warn",
      code: "store_damaged",
      message: `${file} cannot be understood (${messageOf(error)}): nothing is paused, and the configuration holds`,
      remedy: `Pause and configure again${copy === null ? "" : `; what it held is in ${copy}`}.`,
    });
  }

  async function write(change: Partial<KeptSettings>): Promise<void> {
    const next = { ...settings, ...change };
    try {
      await writeDurably(file, `${JSON.stringify({ schemaVersion: 1, ...next })}\n`);
    } catch (cause) {
      const message = `${file} cannot be written (${messageOf(cause)}), so nothing was changed`;
      throw new AppError("read_only", message, { cause, retryable: true });
    }
    settings = next;
  }

  return {
    get: () => settings,
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
