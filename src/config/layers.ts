import path from "node:path";
import { bare, isObject, mapLeaves, pathText, type SettingNode, type SettingPath } from "./settings.ts";

/** One source's settings, before they are checked. */
export interface Layer {
  readonly data: Readonly<Record<string, unknown>>;
  /** Where this source says what stands at `path`: `tomekeeper.yaml:12`, `--data`. */
  readonly where: (path: SettingPath) => string;
}

/** A source as it was read; `layer` is null where it could not be. */
export interface LayerResult {
  readonly layer: Layer | null;
  readonly problems: readonly string[];
}

/** A setting given by a flag of the command line. */
export interface FlagSetting {
  readonly path: SettingPath;
  /** As typed: `--data`. */
  readonly flag: string;
  readonly value: unknown;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The current folder, absolute. */
  readonly cwd: string;
  /** The user's home folder, absolute. */
  readonly home: string;
}

export function defaultLayer({ env, home }: Surroundings): Layer {
  const xdg = env["XDG_DATA_HOME"];
  const data = xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(home, ".local", "share");
  return { data: { data_dir: path.join(data, "tomekeeper") }, where: () => "default" };
}

export function flagLayer(flags: readonly FlagSetting[], schema: SettingNode, around: Surroundings): Layer {
  const data: Record<string, unknown> = Object.create(null);
  for (const flag of flags) putSetting(data, flag.path, flag.value);
  const where = (at: SettingPath) => {
    const text = pathText(at);
    return flags.find((flag) => isOrLiesIn(text, pathText(flag.path)))?.flag ?? "command line";
  };
  return { data: resolvePaths(data, schema, around.cwd, around.home), where };
}

function isOrLiesIn(text: string, above: string): boolean {
  return text === above || text.startsWith(`${above}.`) || text.startsWith(`${above}[`);
}

/** Sets the value at `path`, making the sections above it; an object joins the one that is there. */
export function putSetting(data: Record<string, unknown>, at: SettingPath, value: unknown): void {
  let section = data;
  for (const key of at.slice(0, -1)) {
    const below = section[key];
    const next: Record<string, unknown> = isObject(below) ? below : Object.create(null);
    section[key] = next;
    section = next;
  }
  const last = at.at(-1);
  if (last === undefined) return;
  const below = section[last];
  section[last] =
    isObject(below) && isObject(value) ? Object.assign(Object.create(null), value, below) : value;
}

/** Makes every path among the settings absolute: relative ones start at `dir`, `~/` at the home folder. */
export function resolvePaths(
  data: Readonly<Record<string, unknown>>,
  schema: SettingNode,
  dir: string,
  home: string,
): Readonly<Record<string, unknown>> {
  const resolved = mapLeaves(data, schema, (leaf, node) =>
    typeof leaf === "string" && leaf !== "" && bare(node)["x-path"] ? resolvePath(leaf, dir, home) : leaf,
  );
  return isObject(resolved) ? resolved : {};
}

export function resolvePath(file: string, dir: string, home: string): string {
  const expanded = file === "~" || file.startsWith("~/") ? path.join(home, file.slice(1)) : file;
  return path.resolve(dir, expanded);
}
