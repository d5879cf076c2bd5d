import path from "node:path";
import { isIgnoredName } from "../domain/file-kinds.ts";

/** True for a file or folder that is left out. `folderPath` is relative to the root, `''` for the root itself. */
export type IsLeftOut = (folderPath: string, name: string) => boolean;

/**
 * What is left out of a walk: the names that always are, and what the patterns of `scan.ignore` match. A
 * pattern is matched against the path from the root, one without a slash against the name at any depth:
 * `*`, `**`, `?`, `[abc]` and `{a,b}` as `path.matchesGlob` has them, case counts. A folder that is left out
 * takes all below it with it.
 */
export function createIsLeftOut(patterns: readonly string[]): IsLeftOut {
  if (patterns.length === 0) return (_folderPath, name) => isIgnoredName(name);
  const byName = patterns.filter((pattern) => !pattern.includes("/"));
  const byPath = patterns.filter((pattern) => pattern.includes("/")).map(withoutSlashes);
  return (folderPath, name) => {
    if (isIgnoredName(name)) return true;
    if (byName.some((pattern) => path.posix.matchesGlob(name, pattern))) return true;
    if (byPath.length === 0) return false;
    const whole = folderPath === "" ? name : `${folderPath}/${name}`;
    return byPath.some((pattern) => path.posix.matchesGlob(whole, pattern));
  };
}

/** `/Samples` and `Samples/` mean the folder too. */
function withoutSlashes(pattern: string): string {
  return pattern.replace(/^\/+|\/+$/g, "");
}
