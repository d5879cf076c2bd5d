import { z } from "zod";
import { operationKinds } from "../domain/operation.ts";
import { strategies } from "../domain/organize.ts";
import { type JsonFile, openJsonFile } from "./json-file.ts";
import type { StoreIssue } from "./ports.ts";

const settingsFields = z.strictObject({
  paused: z.strictObject({ all: z.boolean(), kinds: z.array(z.enum(operationKinds)) }),
  scanConcurrency: z.int().min(1).nullable(),
  operationConcurrency: z.int().min(1).nullable(),
  organizeStrategy: z.enum(strategies).nullable(),
  logLevel: z.enum(["debug", "info", "warn", "error"]).nullable(),
});

/** What people have set while it runs, over the configuration; null for what they have not. */
export type KeptSettings = Readonly<z.infer<typeof settingsFields>>;

export type SettingsStore = JsonFile<KeptSettings>;

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

/** Opens `settings.json`. */
export function openSettings(options: Options): Promise<SettingsStore> {
  return openJsonFile({
    ...options,
    name: "settings",
    schemaVersion: 1,
    shape: settingsFields,
    initial: nothingSet,
    whenDamaged: {
      message: "nothing is paused, and the configuration holds",
      remedy: "Pause and configure again",
    },
  });
}
