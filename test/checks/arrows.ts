import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";

/**
 * Which areas an area may import from, type imports included. An area not named here may import nothing.
 * `main, cli → app → the middle row → store, files → domain, errors`; areas of the middle row do not know each other.
 */
const middle = ["bus", "queue", "scan", "metadata", "organize", "library", "health"] as const;
const leaves = ["domain", "errors", "version"] as const;
const allowed: Readonly<Record<string, readonly string[]>> = {
  main: ["cli", "process-shape", ...leaves],
  cli: ["app", "demo", "config", "runner-file", "store", ...middle, ...leaves],
  demo: ["app", "config", ...middle, ...leaves],
  app: ["config", "runner-file", "plugin", "plugins", "store", "files", ...middle, ...leaves],
  config: leaves,
  "runner-file": leaves,
  plugin: ["bus", ...leaves],
  "process-shape": [],
  ...Object.fromEntries(middle.map((area) => [area, ["store", "files", ...leaves]])),
  metadata: ["plugin", "store", "files", ...leaves],
  store: ["files", ...leaves],
  files: leaves,
  domain: leaves,
  errors: [],
  version: [],
  plugins: ["plugin"],
};

export interface Violation {
  readonly file: string;
  readonly imports: string;
  readonly message: string;
}

/** Every import below `rootDir` (`src` and `plugins`) that points upward or sideways. */
export function findViolations(rootDir: string): readonly Violation[] {
  const violations: Violation[] = [];
  for (const file of sourceFiles(rootDir)) {
    const from = areaOf(file);
    for (const specifier of importsOf(readFileSync(path.join(rootDir, file), "utf8"))) {
      if (!specifier.startsWith(".")) continue;
      const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
      const to = areaOf(target);
      if (from === to || mayImport(from, to)) continue;
      violations.push({
        file,
        imports: target,
        message: `${file} imports ${target}: ${from} may not know ${to}`,
      });
    }
  }
  return violations;
}

/** A plugin knows `src/plugin.ts` and itself; their list knows them all. */
function mayImport(from: string, to: string): boolean {
  if (from.startsWith("plugins/")) return to === "plugin";
  return (allowed[from] ?? []).includes(to) || (from === "plugins" && to.startsWith("plugins/"));
}

function sourceFiles(rootDir: string): readonly string[] {
  const files: string[] = [];
  for (const top of ["src", "plugins"]) {
    if (!existsSync(path.join(rootDir, top))) continue;
    const names = readdirSync(path.join(rootDir, top), { recursive: true, encoding: "utf8" });
    for (const name of names)
      if (name.endsWith(".ts")) files.push(`${top}/${name.split(path.sep).join("/")}`);
  }
  return files.sort();
}

/** `src/bus/client.ts` and `src/bus.ts` are of area `bus`; all plugins are one area but each its own folder. */
function areaOf(file: string): string {
  const [top, second, ...rest] = file.split("/");
  if (top === "plugins") return rest.length === 0 ? "plugins" : `plugins/${second}`;
  return (second ?? "").replace(/\.ts$/, "");
}

function importsOf(source: string): readonly string[] {
  const pattern =
    /\b(?:import|export)\b[^;'"`]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
  return [...source.matchAll(pattern)].map((match) => match[1] ?? match[2] ?? "");
}

if (process.argv[1] === import.meta.filename) {
  const violations = findViolations(process.cwd());
  for (const violation of violations) console.error(violation.message);
  if (violations.length > 0) process.exit(1);
  console.log("import arrows: all point downward");
}
