import { AppError } from "../errors.ts";
import { readEnvironmentLayer } from "./environment.ts";
import { chooseFile, readFileLayer } from "./file.ts";
import { finishConfig } from "./finish.ts";
import { defaultLayer, type FlagSetting, flagLayer, type Layer, type Surroundings } from "./layers.ts";
import { explainIssues, type Problem, problemText } from "./problems.ts";
import { type Config, configSchema } from "./schema.ts";
import {
  child,
  configJsonSchema,
  isObject,
  kindOf,
  pathText,
  type SettingNode,
  type SettingPath,
  valueAt,
} from "./settings.ts";

export interface ConfigSources extends Surroundings {
  /** The file of `--config`; null to look for one. */
  readonly file: string | null;
  readonly flags: readonly FlagSetting[];
}

export interface ConfigResult {
  /** Frozen to the last list. */
  readonly config: Config;
  /** Settings that were corrected or look wrong, a sentence each: the `config` diagnostic. */
  readonly warnings: readonly string[];
  /** For every setting that is not a default: where it was said, `tomekeeper.yaml:12`. */
  readonly origins: Readonly<Record<string, string>>;
  /** The file that was read, absolute; null where there is none. */
  readonly file: string | null;
}

/**
 * Reads the configuration once: defaults, the file, the environment, flags, each over the one before; lists are
 * replaced whole. Reads synchronously, so that the number of threads for the disk can still follow from it. Throws `config_invalid` with every problem on a line of its own (and in `details.problems`).
 */
export function loadConfig(sources: ConfigSources): ConfigResult {
  const schema = configJsonSchema();
  const problems: string[] = [];
  const keep = (read: { readonly layer: Layer | null; readonly problems: readonly string[] }) => {
    problems.push(...read.problems);
    return read.layer === null ? [] : [read.layer];
  };
  const lowest = defaultLayer(sources);
  const environment = keep(readEnvironmentLayer(schema, sources));
  const flags = flagLayer(sources.flags, schema, sources);
  const dataDir = [flags, ...environment, lowest].map((layer) => layer.data["data_dir"]).find(isText) ?? "";
  const file = chooseFile(sources.file, dataDir, sources);
  const fromFile = file === null ? [] : keep(readFileLayer(file, schema, sources));
  const layers = [...fromFile, ...environment, flags];

  const merged = mergeLayers([lowest, ...layers], schema, problems);
  const where = (path: SettingPath) => whereOf(layers, path) ?? "configuration";
  const tell = (found: readonly Problem[]) =>
    problems.push(...found.map((problem) => problemText(problem, where(problem.path))));

  const warnings = raiseToOne(merged, schema, where);
  const parsed = configSchema.safeParse(merged, { reportInput: true });
  if (!parsed.success) tell(explainIssues(parsed.error.issues, schema));
  if (parsed.success) {
    const finished = finishConfig(parsed.data);
    tell(finished.problems);
    warnings.push(...finished.warnings.map((warning) => problemText(warning, where(warning.path))));
    if (problems.length === 0 && finished.config !== null) {
      const config = deepFreeze(finished.config);
      return { config, warnings, origins: originsOf(merged, schema, layers), file };
    }
  }
  const head =
    problems.length === 1
      ? "the configuration has a problem"
      : `the configuration has ${problems.length} problems`;
  throw new AppError("config_invalid", [`${head}:`, ...problems].join("\n"), { details: { problems } });
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function mergeLayers(
  layers: readonly Layer[],
  schema: SettingNode,
  problems: string[],
): Record<string, unknown> {
  const merged: Record<string, unknown> = Object.create(null);
  for (const layer of layers) mergeInto(merged, layer.data, schema, [], layer, problems);
  return merged;
}

function mergeInto(
  target: Record<string, unknown>,
  data: Readonly<Record<string, unknown>>,
  node: SettingNode | null,
  path: SettingPath,
  layer: Layer,
  problems: string[],
): void {
  for (const [key, value] of Object.entries(data)) {
    const at = [...path, key];
    const below = node && child(node, key);
    const hasKeys = below !== null && ["section", "table"].includes(kindOf(below));
    if (!hasKeys) {
      target[key] = value;
    } else if (isObject(value)) {
      const there = target[key];
      const section: Record<string, unknown> = isObject(there) ? there : Object.create(null);
      target[key] = section;
      mergeInto(section, value, below, at, layer, problems);
    } else if (value === null) {
      // A section whose keys are all commented out; where `null` means something (`tls`), it is the default.
      if (!isObject(target[key]) && below.anyOf !== undefined) target[key] = null;
    } else {
      const text = "must be a section of its own, with its keys below it";
      problems.push(problemText({ path: at, text }, layer.where(at)));
    }
  }
}

/** Where the highest source that says anything about `path` says it. */
function whereOf(layers: readonly Layer[], path: SettingPath): string | null {
  for (let length = path.length; length > 0; length--) {
    const at = path.slice(0, length);
    const layer = layers.findLast((candidate) => valueAt(candidate.data, at) !== undefined);
    if (layer !== undefined) return layer.where(path);
  }
  return null;
}

/** A concurrency below one cannot work, but its wish is plain: as little as possible. */
function raiseToOne(
  section: Record<string, unknown>,
  node: SettingNode,
  where: (path: SettingPath) => string,
  path: SettingPath = [],
): string[] {
  const warnings: string[] = [];
  for (const [key, value] of Object.entries(section)) {
    const below = child(node, key);
    if (below === null) continue;
    const at = [...path, key];
    if (isObject(value)) {
      warnings.push(...raiseToOne(value, below, where, at));
    } else if (below["x-at-least-one"] && typeof value === "number" && value < 1) {
      section[key] = 1;
      warnings.push(problemText({ path: at, text: `is ${value}: below 1, so it is taken as 1` }, where(at)));
    }
  }
  return warnings;
}

/** Leaves and lists that a source set, by path. */
function originsOf(
  value: unknown,
  schema: SettingNode,
  layers: readonly Layer[],
  path: SettingPath = [],
): Readonly<Record<string, string>> {
  if (isObject(value)) {
    const parts = Object.keys(value).map((key) => originsOf(value[key], schema, layers, [...path, key]));
    return Object.assign({}, ...parts);
  }
  const where = layers.some((layer) => valueAt(layer.data, path) !== undefined)
    ? whereOf(layers, path)
    : null;
  return where === null ? {} : { [pathText(path)]: where };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
