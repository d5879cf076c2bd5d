import { z } from "zod";
import { openJsonFile } from "./json-file.ts";
import type { StoreIssue } from "./ports.ts";

/** What plugins have to know of their last run, by their names. */
export interface PluginMemory {
  /** Null where nothing is kept. */
  get(plugin: string): unknown;
  /** Durable when it resolves. */
  put(plugin: string, value: unknown): Promise<void>;
}

interface Options {
  readonly folder: string;
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
}

/** Opens `plugins.json`. */
export async function openPluginMemory(options: Options): Promise<PluginMemory> {
  const file = await openJsonFile<Readonly<Record<string, unknown>>>({
    ...options,
    name: "plugins",
    schemaVersion: 1,
    shape: z.record(z.string(), z.unknown()),
    initial: {},
    whenDamaged: {
      message: "what plugins knew of their last run is forgotten",
      remedy: "If a hub shows entities that are gone, run `tomekeeper mqtt purge` once",
    },
  });
  return {
    get: (plugin) => (Object.hasOwn(file.get(), plugin) ? (file.get()[plugin] ?? null) : null),
    put: (plugin, value) => file.put({ [plugin]: value }),
  };
}
