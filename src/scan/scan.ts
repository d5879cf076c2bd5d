import fs from "node:fs/promises";
import type { Root } from "../domain/book.ts";
import type { ScanCatalogue, StoredUnit } from "../domain/catalogue.ts";
import type { Operation, OperationRun } from "../domain/operation.ts";
import { AppError } from "../errors.ts";
import { unitPathOf } from "./group.ts";
import { createRootGuard, type RootGuard } from "./scan-root.ts";
import { beginScan, type ScanDeps, type ScanInput } from "./scan-run.ts";
import { createStoredUnits } from "./scan-stored.ts";
import { joinPath } from "./walk-place.ts";
import { isNotThere, rootUnavailable } from "./walk-problems.ts";

/**
 * The run of operations of kind `scan`: input `{root_id, path, force}`, the summary of the contract. Walking,
 * reading and committing are one pipeline of bounded memory; everything is committed in the walk's order, so
 * that a scan can go on behind its last checkpoint.
 *
 * Throws `root_unavailable` and `disk_lost` (nothing is concluded from what could not be seen), `not_found`
 * for a folder that is not there, and the signal's reason. A later run with the same id goes on behind the last
 * checkpoint, whatever ended this one.
 */
export function createScanRun(deps: ScanDeps): OperationRun {
  return async (operation, context) => {
    const input = await parseInput(deps, operation);
    const guard = await createRootGuard(input.root.path);
    refuseEmptied(deps.catalogue, input.root, guard);
    const scan = beginScan(deps, operation.id, context, input, guard);
    try {
      await scan.run();
      return await scan.finish();
    } catch (error) {
      await scan.park(error);
      throw error;
    }
  };
}

/** Throws `not_found` for a root or a folder that is not known, `outside_root` for a path that leads out. */
async function parseInput(deps: ScanDeps, { input }: Operation): Promise<ScanInput> {
  const rootId = String(input["root_id"]);
  const root = deps.findRoot(rootId);
  if (root === undefined) {
    throw new AppError("not_found", `There is no root "${rootId}" in the configuration`);
  }
  const names = String(input["path"] ?? "")
    .split("/")
    .filter((name) => name !== "");
  if (names.some((name) => name === "." || name === "..")) {
    throw new AppError("outside_root", `The path ${names.join("/")} may not hold "." or ".."`);
  }
  const folderPath = await folderOf(root, names.join("/"));
  const startPath = unitPathOf(folderPath);
  const isKnown = (): boolean =>
    !createStoredUnits(deps.catalogue, root.id, startPath, null).rest().next().done;
  if (!(await exists(joinPath(root.path, folderPath))) && !isKnown()) {
    await createRootGuard(root.path);
    throw new AppError("not_found", `There is no folder ${folderPath} in the root ${root.path}`);
  }
  return { root, startPath, force: input["force"] === true };
}

/** The folder itself, or the one that holds the file. */
async function folderOf(root: Root, path: string): Promise<string> {
  const stats = await fs.stat(joinPath(root.path, path)).catch(() => null);
  if (stats === null || stats.isDirectory()) return path;
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

async function exists(absolute: string): Promise<boolean> {
  return fs.stat(absolute).then(
    () => true,
    (error: unknown) => !isNotThere(error),
  );
}

/** A root without any entry is what the mount point of an unmounted disk looks like. */
function refuseEmptied(catalogue: ScanCatalogue, root: Root, guard: RootGuard): void {
  if (!guard.isEmpty || !hasBooks(catalogue, root.id)) return;
  throw rootUnavailable(
    root.path,
    "is empty, although the catalogue knows books in it (if it is meant to be, make any folder in it)",
  );
}

/** Units without a book are where organized books were copied from: whoever has them organized may delete them. */
function hasBooks(catalogue: ScanCatalogue, rootId: string): boolean {
  for (let after: string | null = null; ; ) {
    const units: readonly StoredUnit[] = catalogue.unitsAfter(rootId, after, 1000);
    if (units.some(({ bookCount }) => bookCount > 0)) return true;
    after = units.at(-1)?.path ?? null;
    if (after === null) return false;
  }
}
