import { type LayerResult, putSetting, resolvePaths, type Surroundings } from "./layers.ts";
import { nearestText } from "./nearest.ts";
import {
  child,
  isObject,
  kindOf,
  listSettings,
  pathText,
  type SettingNode,
  type SettingPath,
} from "./settings.ts";

const prefix = "TOMEKEEPER_";
/** `TOMEKEEPER_CONFIG` names the file; the others are what Kubernetes sets for a service called `tomekeeper`. */
const notSettings = /^TOMEKEEPER_(CONFIG$|SERVICE_|PORT$|PORT_)/;

/**
 * The settings among the environment's variables: `TOMEKEEPER_SCAN__CONCURRENCY`. Lists are JSON; an empty
 * variable counts as not set.
 */
export function readEnvironmentLayer(schema: SettingNode, around: Surroundings): LayerResult {
  const data: Record<string, unknown> = Object.create(null);
  const names = new Map<string, string>();
  const problems: string[] = [];
  // In order of names, so that a section comes before the settings in it, which then win.
  for (const [name, text] of Object.entries(around.env).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!name.startsWith(prefix) || notSettings.test(name) || text === undefined || text === "") continue;
    const found = settingOfVariable(name, schema);
    if (found === null) {
      problems.push(`environment ${name}: is not a setting${nearestText(name, variableNames(schema))}`);
      continue;
    }
    const value = parseVariable(text, found.node);
    if (value === undefined) {
      problems.push(
        `environment ${name}: must be a JSON ${kindOf(found.node) === "list" ? "list" : "object"} in one line`,
      );
      continue;
    }
    putSetting(data, found.path, value);
    names.set(pathText(found.path), name);
  }
  const where = (at: SettingPath) => {
    for (let length = at.length; length > 0; length--) {
      const name = names.get(pathText(at.slice(0, length)));
      if (name !== undefined) return `environment ${name}`;
    }
    return "environment";
  };
  return { layer: { data: resolvePaths(data, schema, around.cwd, around.home), where }, problems };
}

/** The variable that sets `path`, as the reference shows it. */
export function variableName(settingPath: string): string {
  return prefix + settingPath.replaceAll(".", "__").replaceAll("*", "<NAME>").toUpperCase();
}

function variableNames(schema: SettingNode): readonly string[] {
  return listSettings(schema)
    .filter((setting) => !setting.path.includes("[]"))
    .map((setting) => variableName(setting.path));
}

function settingOfVariable(
  name: string,
  schema: SettingNode,
): { readonly path: readonly string[]; readonly node: SettingNode } | null {
  const at: string[] = [];
  let node = schema;
  for (const segment of name.slice(prefix.length).toLowerCase().split("__")) {
    // The name of a source or a plugin may hold `-`, that of a variable may not.
    const key = kindOf(node) === "table" ? segment.replaceAll("_", "-") : segment;
    const next = segment === "" || kindOf(node) === "list" ? null : child(node, key);
    if (next === null) return null;
    at.push(key);
    node = next;
  }
  return { path: at, node };
}

/** Undefined where a list or an object was wanted and it is none; what else is wrong the schema says. */
function parseVariable(text: string, node: SettingNode): unknown {
  const kind = kindOf(node);
  if (kind === "text" || node["x-secret"]) return text;
  const value = parseJson(text.trim());
  if (kind === "list") return Array.isArray(value) ? value : undefined;
  if (kind === "section" || kind === "table") return isObject(value) ? value : undefined;
  return value ?? text;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
