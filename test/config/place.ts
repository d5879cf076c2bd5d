import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { type ConfigResult, type ConfigSources, loadConfig } from "../../src/config/load.ts";
import { AppError } from "../../src/errors.ts";

/** A folder of its own that stands for the current folder and, below it, the home folder. */
export interface Place {
  readonly dir: string;
  readonly home: string;
  readonly write: (file: string, text: string) => string;
  readonly load: (sources?: Partial<ConfigSources>) => ConfigResult;
  /** The problems of a configuration that is refused. */
  readonly problems: (sources?: Partial<ConfigSources>) => readonly string[];
  readonly remove: () => void;
}

export function makePlace(): Place {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-config-"));
  const home = path.join(dir, "home");
  const load = (sources: Partial<ConfigSources> = {}) =>
    loadConfig({ file: null, flags: [], env: {}, cwd: dir, home, ...sources });
  return {
    dir,
    home,
    load,
    write: (file, text) => {
      const full = path.join(dir, file);
      mkdirSync(path.dirname(full), { recursive: true });
      writeFileSync(full, text);
      return full;
    },
    problems: (sources) => {
      try {
        load(sources);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "config_invalid") throw error;
        const problems: unknown = error.details?.["problems"];
        return Array.isArray(problems) ? problems.map(String) : [];
      }
      throw new Error("the configuration was accepted");
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
