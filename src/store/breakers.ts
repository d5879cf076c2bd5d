import { z } from "zod";
import type { KeptBreaker } from "../domain/source.ts";
import { type JsonFile, openJsonFile } from "./json-file.ts";
import type { StoreIssue } from "./ports.ts";

const keptBreaker = z.strictObject({
  state: z.enum(["closed", "open", "half_open", "isolated"]),
  failures: z.int().min(0),
  openedAt: z.iso.datetime().nullable(),
  nextProbeAt: z.iso.datetime().nullable(),
  lastError: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
});

/** By the source's name. */
export type BreakerStore = JsonFile<Readonly<Record<string, KeptBreaker>>>;

interface Options {
  readonly folder: string;
  readonly now: () => Date;
  readonly report: (issue: StoreIssue) => void;
}

/** Opens `breakers.json`. */
export function openBreakers(options: Options): Promise<BreakerStore> {
  return openJsonFile<Readonly<Record<string, KeptBreaker>>>({
    ...options,
    name: "breakers",
    schemaVersion: 1,
    shape: z.record(z.string(), keptBreaker),
    initial: {},
    whenDamaged: {
      message: "every source is asked as if nothing had happened",
      remedy: "Switch off again what had been switched off",
    },
  });
}
