import { readFileSync } from "node:fs";
import path from "node:path";

/** The version in package.json, which stands one folder above `src` and two above `dist/src`. */
export const version: string = readVersion();

function readVersion(): string {
  for (const up of ["..", "../.."]) {
    try {
      const found: unknown = JSON.parse(
        readFileSync(path.join(import.meta.dirname, up, "package.json"), "utf8"),
      );
      if (isOurs(found)) return found.version;
    } catch {
      // Not there: the other place has it.
    }
  }
  return "0.0.0";
}

function isOurs(found: unknown): found is { version: string } {
  return (
    typeof found === "object" &&
    found !== null &&
    "name" in found &&
    found.name === "tomekeeper" &&
    "version" in found &&
    typeof found.version === "string"
  );
}
