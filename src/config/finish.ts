import { readFileSync } from "node:fs";
import path from "node:path";
import type * as z from "zod";
import type { Root } from "../domain/book.ts";
import { parseTemplate, templateTokens } from "../domain/template.ts";
import { nearestText } from "./nearest.ts";
import type { Problem } from "./problems.ts";
import type { Config, configSchema } from "./schema.ts";
import { isObject, type SettingPath } from "./settings.ts";

type Parsed = z.output<typeof configSchema>;

interface Finished {
  /** Null where there are problems. */
  readonly config: Config | null;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** What one setting alone cannot say: secrets from files, roots' ids, and settings that contradict each other. */
export function finishConfig(parsed: Parsed): Finished {
  const problems: Problem[] = [];
  readSecrets(parsed, [], problems);
  const roots = nameRoots(parsed.roots);
  problems.push(...sameIds(parsed.roots), ...overlaps(roots));
  const mqtt = splitAddress(parsed.mqtt, problems);
  const users = checkUsers(mqtt.embedded.users, problems);
  problems.push(...listenerProblems(mqtt), ...organizeProblems(parsed.organize, roots));
  const { data_dir } = parsed;
  if (problems.length > 0 || data_dir === undefined) return { config: null, problems, warnings: [] };
  const config = { ...parsed, data_dir, roots, mqtt: { ...mqtt, embedded: { ...mqtt.embedded, users } } };
  return { config, problems, warnings: warningsOf(parsed) };
}

/** Fills every `X` from `X_file`. Walks all of it, since a plugin's keys are its own. */
function readSecrets(value: unknown, at: SettingPath, problems: Problem[]): void {
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) readSecrets(item, [...at, i], problems);
    return;
  }
  if (!isObject(value)) return;
  for (const key of Object.keys(value)) {
    const file = value[key];
    const secret = /^(.*(?:password|passphrase|token|secret|key))_file$/.exec(key)?.[1];
    if (secret === undefined || typeof file !== "string") {
      readSecrets(file, [...at, key], problems);
      continue;
    }
    if (typeof value[secret] === "string") {
      problems.push({ path: [...at, key], text: `and ${secret} are both set: keep one of them` });
      continue;
    }
    const read = readSecretFile(file);
    if (read.text === null) problems.push({ path: [...at, key], text: `is ${file}: ${read.problem}` });
    else value[secret] = read.text;
  }
}

function readSecretFile(file: string): { readonly text: string | null; readonly problem: string } {
  try {
    const text = readFileSync(file, "utf8").replace(/\r?\n$/, "");
    return text === "" ? { text: null, problem: "the file is empty" } : { text, problem: "" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { text: null, problem: `the file cannot be read (${reason})` };
  }
}

/** A root without an id is called after its folder; where several are, the later ones get `-2`, `-3`. */
function nameRoots(roots: Parsed["roots"]): readonly Root[] {
  const taken = new Set(roots.flatMap((root) => root.id ?? []));
  return roots.map((root) => {
    const id = root.id ?? freeId(slug(path.basename(root.path), root.kind), taken);
    taken.add(id);
    return { ...root, id };
  });
}

function freeId(wanted: string, taken: ReadonlySet<string>): string {
  let id = wanted;
  for (let number = 2; taken.has(id); number++) {
    const end = `-${number}`;
    id = wanted.slice(0, 64 - end.length) + end;
  }
  return id;
}

function slug(name: string, fallback: string): string {
  const id = name
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
  return id === "" ? fallback : id;
}

function sameIds(roots: Parsed["roots"]): readonly Problem[] {
  return roots.flatMap((root, i) => {
    const first = roots.findIndex((other) => other.id !== undefined && other.id === root.id);
    if (first === -1 || first === i) return [];
    return [
      { path: ["roots", i, "id"], text: `is "${root.id}", as roots[${first}].id is: give each root its own` },
    ];
  });
}

/** A root inside another would have its books twice. Links are a matter of the disk, and of a diagnostic. */
function overlaps(roots: readonly Root[]): readonly Problem[] {
  return roots.flatMap((root, i) => {
    const isAbove = (other: Root, j: number) =>
      j !== i && isSameOrInside(root.path, other.path) && (root.path !== other.path || j < i);
    const other = roots.find(isAbove);
    if (other === undefined) return [];
    const how = root.path === other.path ? "the same folder as" : "inside";
    const text = `is ${root.path}, ${how} ${other.path} of root "${other.id}": roots must lie beside each other`;
    return [{ path: ["roots", i, "path"], text }];
  });
}

function isSameOrInside(place: string, above: string): boolean {
  const relative = path.relative(above, place);
  return (
    relative === "" ||
    (relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative))
  );
}

/** Takes user and password out of `mqtt://user:password@host`, so that the address can be shown. */
function splitAddress(mqtt: Parsed["mqtt"], problems: Problem[]): Parsed["mqtt"] {
  if (mqtt.url === null) return mqtt;
  if (!URL.canParse(mqtt.url)) {
    problems.push({ path: ["mqtt", "url"], text: "is not an address: must be such as mqtt://host:1883" });
    return mqtt;
  }
  const url = new URL(mqtt.url);
  const username = mqtt.username ?? decoded(url.username);
  const password = mqtt.password ?? decoded(url.password);
  if (password !== null && username === null) {
    problems.push({ path: ["mqtt", "password"], text: "needs mqtt.username beside it" });
  }
  url.username = "";
  url.password = "";
  return { ...mqtt, url: url.href.replace(/\/$/, ""), username, password };
}

function decoded(text: string): string | null {
  if (text === "") return null;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

type Users = Config["mqtt"]["embedded"]["users"];

function checkUsers(users: Parsed["mqtt"]["embedded"]["users"], problems: Problem[]): Users {
  return users.map((user, i) => {
    const path = ["mqtt", "embedded", "users", i];
    if (user.password === undefined) {
      problems.push({ path: [...path, "password"], text: "is missing: set it or password_file" });
    }
    const first = users.findIndex((other) => other.username === user.username);
    if (first !== i) {
      problems.push({ path: [...path, "username"], text: `is "${user.username}", as users[${first}] is` });
    }
    return { ...user, password: user.password ?? "" };
  });
}

function listenerProblems({ url, embedded }: Parsed["mqtt"]): readonly Problem[] {
  if (url !== null || isLoopback(embedded.host)) return [];
  const at = ["mqtt", "embedded", "host"];
  const beyond = `is ${embedded.host}, which others can reach:`;
  const problems: Problem[] = [];
  if (embedded.users.length === 0) problems.push({ path: at, text: `${beyond} add mqtt.embedded.users` });
  if (embedded.tls === null && !embedded.allow_plaintext) {
    problems.push({
      path: at,
      text: `${beyond} set mqtt.embedded.tls, or mqtt.embedded.allow_plaintext: true if you accept that passwords can be read on the way`,
    });
  }
  return problems;
}

function organizeProblems(
  { pattern, destination }: Parsed["organize"],
  roots: readonly Root[],
): readonly Problem[] {
  const problems: Problem[] = [];
  const parsed = parseTemplate(pattern);
  if ("problem" in parsed) {
    const { text, unknownToken } = parsed.problem;
    const nearest = unknownToken === null ? "" : nearestText(unknownToken, templateTokens);
    const all =
      unknownToken !== null && nearest === "" ? `; the tokens are ${templateTokens.join(", ")}` : nearest;
    problems.push({ path: ["organize", "pattern"], text: `${text}${all}` });
  }
  const libraries = roots.filter(({ kind }) => kind === "library").map(({ id }) => id);
  if (destination !== null && !libraries.includes(destination)) {
    const known = libraries.length === 0 ? "there is none" : `there are ${libraries.join(", ")}`;
    problems.push({
      path: ["organize", "destination"],
      text: `is "${destination}", which is no library root: ${known}${nearestText(destination, libraries)}`,
    });
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function warningsOf(parsed: Parsed): readonly Problem[] {
  const warnings: Problem[] = [];
  if (parsed.roots.length === 0) {
    warnings.push({
      path: ["roots"],
      text: "is empty, so there is nothing to scan: add a folder, or use --library DIR",
    });
  }
  const ai = parsed.plugins["ai"];
  if (
    ai?.enabled &&
    ai["base_url"] === undefined &&
    ![ai["api_key"], ai["key"], ai["token"]].some((key) => typeof key === "string" && key !== "")
  ) {
    warnings.push({
      path: ["plugins", "ai"],
      text: "is enabled without a key: set plugins.ai.api_key or api_key_file, or enabled: false",
    });
  }
  return warnings;
}
