import * as z from "zod";
import { configSchema } from "./schema.ts";

/** What the JSON Schema says about one place in the configuration. */
export interface SettingNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly SettingNode[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, SettingNode>>;
  readonly items?: SettingNode;
  readonly additionalProperties?: boolean | SettingNode;
  readonly "x-secret"?: true;
  readonly "x-live"?: true;
  readonly "x-path"?: true;
  readonly "x-at-least-one"?: true;
  readonly "x-allowed"?: string;
}

export type SettingPath = readonly (string | number)[];

/** The configuration's JSON Schema, as a user writes the file (defaults are not required). */
export function configJsonSchema(): SettingNode {
  return z.toJSONSchema(configSchema, { io: "input" }) as SettingNode;
}

/** Without the `null` that an unset value may be. */
export function bare(node: SettingNode): SettingNode {
  const inner = node.anyOf?.find((option) => option.type !== "null");
  return inner === undefined ? node : { ...node, ...inner };
}

export type SettingKind = "section" | "table" | "list" | "text" | "number" | "boolean" | "any";

export function kindOf(node: SettingNode): SettingKind {
  const { type, properties, additionalProperties } = bare(node);
  const types = typeof type === "string" ? [type] : (type ?? []);
  if (properties !== undefined) return "section";
  if (types.includes("object")) return typeof additionalProperties === "object" ? "table" : "any";
  if (types.includes("array")) return "list";
  if (types.includes("boolean")) return "boolean";
  if (types.includes("integer") || types.includes("number")) return "number";
  return types.includes("string") ? "text" : "any";
}

/** The place one key (or list position) below `node`; null where the schema knows none. */
export function child(node: SettingNode, key: string | number): SettingNode | null {
  const inner = bare(node);
  if (typeof key === "string" && inner.properties !== undefined && Object.hasOwn(inner.properties, key)) {
    return inner.properties[key] ?? null;
  }
  if (isFree(inner)) return freeChild(inner, key);
  if (typeof key === "number") return inner.items ?? null;
  if (typeof inner.additionalProperties !== "object") return null;
  return isFree(inner.additionalProperties) ? freeChild({}, key) : inner.additionalProperties;
}

function isFree(node: SettingNode): boolean {
  return node.type === undefined && node.properties === undefined;
}

/** Plugins have keys of their own, which the schema cannot know: a secret among them is told by its name. */
function freeChild(node: SettingNode, key: string | number): SettingNode {
  if (node["x-secret"] || isSecretName(key)) return { "x-secret": true };
  return typeof key === "string" && key.endsWith("_file") && isSecretName(key.slice(0, -"_file".length))
    ? { "x-path": true }
    : {};
}

function isSecretName(key: string | number): boolean {
  return typeof key === "string" && /(^|_)(password|passphrase|token|secret|key|apikey)$/.test(key);
}

/** `mqtt.embedded.users[0].password` */
export function pathText(path: SettingPath): string {
  return path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? key : `${text}.${key}`),
    "",
  );
}

/**
 * A copy of `value` with every leaf that the schema knows replaced by what `change` makes of it. Objects of the
 * copy have no prototype, so that a key called `__proto__` is only a key.
 */
export function mapLeaves(
  value: unknown,
  node: SettingNode | null,
  change: (leaf: unknown, node: SettingNode, path: SettingPath) => unknown,
  path: SettingPath = [],
): unknown {
  if (Array.isArray(value)) {
    return value.map((item, i) => mapLeaves(item, node && child(node, i), change, [...path, i]));
  }
  if (isObject(value)) {
    const copy: Record<string, unknown> = Object.create(null);
    for (const key of Object.keys(value)) {
      copy[key] = mapLeaves(value[key], node && child(node, key), change, [...path, key]);
    }
    return copy;
  }
  return node === null ? value : change(value, node, path);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function valueAt(value: unknown, path: SettingPath): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string | number, unknown>)[key];
  }
  return at;
}

/** One row of the reference: a setting that has a value of its own. `*` stands for a name, `[]` for a list's item. */
export interface Setting {
  readonly path: string;
  readonly node: SettingNode;
}

/** All settings, in the order of the file. */
export function listSettings(node: SettingNode = configJsonSchema(), path = ""): readonly Setting[] {
  const inner = bare(node);
  const rows: Setting[] = [];
  if (path !== "" && inner.properties === undefined) rows.push({ path, node });
  for (const [key, next] of Object.entries(inner.properties ?? {})) {
    rows.push(...listSettings(next, path === "" ? key : `${path}.${key}`));
  }
  if (inner.items?.properties !== undefined) rows.push(...listSettings(inner.items, `${path}[]`));
  if (typeof inner.additionalProperties === "object" && inner.additionalProperties.properties !== undefined) {
    rows.push(...listSettings(inner.additionalProperties, `${path}.*`));
  }
  return rows;
}
