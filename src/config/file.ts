import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLParseError } from "yaml";
import { type LayerResult, resolvePath, resolvePaths, type Surroundings } from "./layers.ts";
import { isObject, type SettingNode, type SettingPath } from "./settings.ts";

/**
 * Which file is read: the one named by `--config` or `TOMEKEEPER_CONFIG` (it must exist), else `tomekeeper.yaml`
 * in the current folder, else the one in the data folder. Null where there is none.
 */
export function chooseFile(named: string | null, dataDir: string, around: Surroundings): string | null {
  const wanted = named ?? around.env["TOMEKEEPER_CONFIG"];
  if (wanted !== undefined && wanted !== "") return resolvePath(wanted, around.cwd, around.home);
  const places = [around.cwd, dataDir].map((dir) => path.join(dir, "tomekeeper.yaml"));
  return places.find((file) => existsSync(file)) ?? null;
}

/** Reads a YAML file of settings; every problem names the file as the user would and the line. */
export function readFileLayer(file: string, schema: SettingNode, around: Surroundings): LayerResult {
  const relative = path.relative(around.cwd, file);
  const shown = relative.startsWith("..") ? file : relative;
  const failed = (problem: string): LayerResult => ({ layer: null, problems: [`${shown}${problem}`] });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    return failed(`: cannot be read (${messageOf(error)})`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineOf = (offset: number) => lines.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map(
      (error) => `${shown}:${lineOf(error.pos[0])}: ${yamlProblem(error, text)}`,
    );
    return { layer: null, problems };
  }
  let contents: unknown;
  try {
    contents = document.toJS();
  } catch (error) {
    // Aliases that blow up or lead nowhere show only now.
    return failed(`: is not usable YAML: ${withoutSource(messageOf(error))}`);
  }
  if (contents === null || contents === undefined) contents = {};
  if (!isObject(contents)) return failed(": must hold settings as `key: value`, one a line");
  const where = (at: SettingPath) => {
    const offset = offsetOf(document.contents, at);
    return offset === null ? shown : `${shown}:${lineOf(offset)}`;
  };
  const data = resolvePaths(contents, schema, path.dirname(file), around.home);
  return { layer: { data, where }, problems: [] };
}

function yamlProblem({ code, pos, message }: YAMLParseError, text: string): string {
  const key = code === "DUPLICATE_KEY" ? /^[\w-]+/.exec(text.slice(pos[0]))?.[0] : undefined;
  if (key !== undefined) return `${key} is set twice: keep one of them`;
  return `is not valid YAML: ${withoutSource(message)}`;
}

/** The parser quotes what it cannot read behind a colon: a password that begins with `*` or `|`, for one. */
function withoutSource(message: string): string {
  const [what = ""] = message.split(":");
  return what === message ? message : `${what}. Text that begins with a special character needs quotes`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where the key (or the list's item) at `path` begins; of the nearest one above it where it is not there. */
function offsetOf(contents: Node | null, at: SettingPath): number | null {
  let node: Node | null = contents;
  let offset: number | null = null;
  for (const key of at) {
    let next: unknown = null;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (isScalar(pair?.key)) offset = pair.key.range?.[0] ?? offset;
      next = pair?.value;
    } else if (isSeq(node) && typeof key === "number") {
      next = node.items[key];
      if (isPlaced(next)) offset = next.range?.[0] ?? offset;
    }
    node = isPlaced(next) ? next : null;
  }
  return offset;
}

function isPlaced(value: unknown): value is Node {
  return isMap(value) || isSeq(value) || isScalar(value);
}
