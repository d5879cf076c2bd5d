import { comparePaths } from "../domain/order.ts";
import { unitPathOf } from "./group.ts";
import type { WalkedFolder } from "./walk-ahead.ts";
import { isWithin } from "./walk-place.ts";

/** Which stored units could not be seen, so that nothing may be concluded about them. */
export interface HiddenUnits {
  add(folder: WalkedFolder): void;
  has(unitPath: string): boolean;
  /** Forgets what can concern only units at or before this folder, so that little is held. */
  forgetUpTo(path: string): void;
}

export function createHiddenUnits(): HiddenUnits {
  /** Nothing at or below these could be seen. */
  const trees = new Set<string>();
  /** These could be seen in part. */
  const incomplete = new Set<string>();

  return {
    add({ path, hidden, isComplete }) {
      for (const tree of hidden) {
        trees.add(tree);
        if (unitPathOf(tree) !== tree) incomplete.add(unitPathOf(tree));
      }
      if (!isComplete) incomplete.add(path).add(unitPathOf(path));
    },
    has(unitPath) {
      if (incomplete.has(unitPath)) return true;
      if (trees.size === 0) return false;
      for (let path = unitPath; ; path = path.slice(0, path.lastIndexOf("/"))) {
        if (trees.has(path)) return true;
        if (!path.includes("/")) return trees.has("");
      }
    },
    forgetUpTo(path) {
      for (const unit of incomplete) if (comparePaths(unit, path) <= 0) incomplete.delete(unit);
      for (const tree of trees) {
        if (comparePaths(tree, path) < 0 && !isWithin(path, tree)) trees.delete(tree);
      }
    },
  };
}
