import type * as z from "zod";
import { nearestKeyText, nearestText } from "./nearest.ts";
import { bare, child, kindOf, pathText, type SettingNode, type SettingPath } from "./settings.ts";
import { withoutLogin } from "./show.ts";

/** One thing that is wrong: what to say, and the setting it is about. */
export interface Problem {
  readonly path: SettingPath;
  /** Reads on after the path: `is "x": must be …`. */
  readonly text: string;
}

type Issue = z.core.$ZodIssue;

/** Says what the schema found, in words: the bad value (never a secret), what is allowed, and the nearest valid key. */
export function explainIssues(issues: readonly Issue[], schema: SettingNode): readonly Problem[] {
  return issues.flatMap((issue) => explain(issue, schema));
}

function explain(issue: Issue, schema: SettingNode): readonly Problem[] {
  const at = issue.path.filter((key) => typeof key !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      path: [...at, key],
      text: `is not a setting${nearestKeyText(at, key, schema)}`,
    }));
  }
  if (issue.code === "invalid_key") {
    return [{ path: at, text: "is not a valid name: must be 1 to 64 of a-z, 0-9 and -" }];
  }
  const node = at.reduce<SettingNode | null>((above, key) => above && child(above, key), schema);
  if (node === null) return [{ path: at, text: issue.message }];
  if (issue.input === undefined) return [{ path: at, text: `is missing: must be ${allowedText(node)}` }];
  return [
    {
      path: at,
      text: `is ${valueText(issue.input, node)}: must be ${allowedText(node)}${hint(issue.input, node)}`,
    },
  ];
}

function valueText(value: unknown, node: SettingNode): string {
  if (mayHoldSecret(node)) return "not usable";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a section";
  const text = withoutLogin(JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/** A text where a list or a section of logins should be is likely to be a login. */
function mayHoldSecret(node: SettingNode): boolean {
  const { properties, items, additionalProperties } = bare(node);
  const below = [...Object.values(properties ?? {}), items, additionalProperties];
  return node["x-secret"] === true || below.some((next) => typeof next === "object" && mayHoldSecret(next));
}

/** What a setting may be: `a whole number from 1 to 64`. */
export function allowedText(node: SettingNode): string {
  const inner = bare(node);
  const said = node["x-allowed"] ?? inner["x-allowed"];
  if (said !== undefined) return said;
  if (inner.enum !== undefined) return `one of ${inner.enum.join(", ")}`;
  switch (kindOf(node)) {
    case "boolean":
      return "true or false";
    case "number": {
      const what = types(node).includes("integer") ? "a whole number" : "a number";
      return `${what} from ${inner.minimum} to ${inner.maximum}`;
    }
    case "text":
      return node["x-path"] ? "a path" : "text (in quotes where it looks like a number), not empty";
    case "list":
      return inner.maxItems === undefined ? "a list" : `a list of at most ${inner.maxItems}`;
    case "section":
    case "table":
      return "a section of its own, with its keys below it";
    case "any":
      return node["x-secret"] ? "text" : "something else";
  }
}

function types(node: SettingNode): readonly string[] {
  const { type } = bare(node);
  return typeof type === "string" ? [type] : (type ?? []);
}

function hint(value: unknown, node: SettingNode): string {
  if (typeof value !== "string") return "";
  return nearestText(value, (bare(node).enum ?? []).map(String));
}

export function problemText(problem: Problem, where: string): string {
  return `${where}: ${pathText(problem.path)} ${problem.text}`;
}
