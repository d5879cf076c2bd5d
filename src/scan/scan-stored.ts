import type { ScanCatalogue, StoredUnit } from "../domain/catalogue.ts";
import { comparePaths } from "../domain/order.ts";
import { isWithin } from "./walk-place.ts";

const pageSize = 1000;

/** The units that the catalogue has in a scan's scope, gone through beside the walk and in its order. */
export interface StoredUnits {
  /** Those before `path` that have not been taken: the walk has passed them. */
  passedBefore(path: string): readonly StoredUnit[];
  passedUpTo(path: string): readonly StoredUnit[];
  /** The one at `path`, if it is the next one. */
  takeAt(path: string): StoredUnit | null;
  /** All that are left, page by page. */
  rest(): Generator<StoredUnit>;
}

/**
 * `after` is where a scan goes on, null where it begins at `startPath`. The catalogue's pages begin after a
 * path, so the unit of the start itself is looked up apart, without its signature: it counts as changed.
 */
export function createStoredUnits(
  catalogue: ScanCatalogue,
  rootId: string,
  startPath: string,
  after: string | null,
): StoredUnits {
  const units = unitsWithin(catalogue, rootId, startPath, after);
  let next = units.next();

  function takeNext(): StoredUnit | null {
    if (next.done === true) return null;
    const unit = next.value;
    next = units.next();
    return unit;
  }

  function* takeWhile(isTaken: (unit: StoredUnit) => boolean): Generator<StoredUnit> {
    while (next.done !== true && isTaken(next.value)) {
      const unit = takeNext();
      if (unit !== null) yield unit;
    }
  }

  return {
    passedBefore: (path) => [...takeWhile((unit) => comparePaths(unit.path, path) < 0)],
    passedUpTo: (path) => [...takeWhile((unit) => comparePaths(unit.path, path) <= 0)],
    takeAt: (path) => (next.done !== true && next.value.path === path ? takeNext() : null),
    rest: () => takeWhile(() => true),
  };
}

/** The units of a scope up to a path and including it: those that a scan which goes on there does not meet. */
export function* storedUnitsUpTo(
  catalogue: ScanCatalogue,
  rootId: string,
  startPath: string,
  last: string,
): Generator<StoredUnit> {
  for (const unit of unitsWithin(catalogue, rootId, startPath, null)) {
    if (comparePaths(unit.path, last) > 0) return;
    yield unit;
  }
}

function* unitsWithin(
  catalogue: ScanCatalogue,
  rootId: string,
  startPath: string,
  after: string | null,
): Generator<StoredUnit> {
  let last = after;
  if (after === null && startPath !== "") {
    if (catalogue.unitEntries(rootId, startPath) !== null) {
      const books = catalogue.unitBooks(rootId, startPath).filter((book) => book.state !== "missing");
      yield { path: startPath, signature: "", bookCount: books.length };
    }
    last = startPath;
  }
  for (;;) {
    const page = catalogue.unitsAfter(rootId, last, pageSize);
    for (const unit of page) {
      if (!isWithin(unit.path, startPath)) return;
      yield unit;
    }
    const end = page.at(-1);
    if (end === undefined || page.length < pageSize) return;
    last = end.path;
  }
}
