import fs from "node:fs/promises";
import type { ScanCatalogue, StoredUnit } from "../domain/catalogue.ts";
import type { ScanUnit } from "../domain/scan.ts";
import { createUnitBuilder, type UnitBuilder } from "./group.ts";
import { createHiddenUnits } from "./scan-hidden.ts";
import type { StoredUnits } from "./scan-stored.ts";
import { audioFilesOf, type ReadUnit, readUnit, type UnitReaders } from "./scan-unit.ts";
import { signatureOf } from "./signature.ts";
import type { WalkedFolder } from "./walk-ahead.ts";
import { joinPath } from "./walk-place.ts";
import { diskLost, isDiskLost, isNotThere } from "./walk-problems.ts";

/** What became of one unit; `read` and `gone` are known a little later. */
export type UnitStep =
  | { readonly kind: "kept"; readonly bookCount: number }
  | {
      readonly kind: "gone";
      readonly path: string;
      readonly bookCount: number;
      /** Whether its books were counted when the scan went on. */
      readonly isCounted: boolean;
      readonly isGone: Pending<boolean>;
    }
  | {
      readonly kind: "read";
      readonly unit: ScanUnit;
      readonly signature: string;
      /** Books that it had when it was last read. */
      readonly bookCount: number;
      readonly reading: Pending<ReadUnit>;
    };

/** One folder of the walk on its way through the scan, with the units that it made whole. */
export interface Step {
  /** Null for the units that only the end of the walk made whole. */
  readonly folder: WalkedFolder | null;
  readonly audioFiles: number;
  readonly units: readonly UnitStep[];
  /** A scan may go on after this folder: nothing before it is held back. Null where that is not so. */
  readonly cursor: string | null;
  /** Files being read for it, and folders being looked for. */
  readonly openFiles: number;
}

/** Something under way whose failure waits until somebody asks for it. */
export interface Pending<T> {
  readonly settled: Promise<void>;
  outcome():
    | { readonly ok: true; readonly value: T }
    | { readonly ok: false; readonly reason: unknown }
    | null;
}

export interface StepOptions {
  readonly catalogue: Pick<ScanCatalogue, "unitEntries">;
  readonly readers: UnitReaders;
  readonly stored: StoredUnits;
  /** Whether unchanged files are read too. */
  readonly force: boolean;
}

/** Turns the walk's folders into steps: compares what is there with what is stored, and starts what must be read. */
export interface StepMaker {
  next(folder: WalkedFolder): Step;
  /** What the end of the walk makes certain; page by page, since all that is stored may be gone. */
  end(): Generator<Step>;
}

export function createStepMaker(options: StepOptions): StepMaker {
  const { readers, stored } = options;
  const builder: UnitBuilder = createUnitBuilder();
  const hidden = createHiddenUnits();

  function stepOf(folder: WalkedFolder | null, units: readonly UnitStep[], cursor: string | null): Step {
    const audioFiles = folder === null ? 0 : audioFilesOf(folder).length;
    return {
      folder,
      audioFiles,
      units,
      cursor,
      openFiles: units.reduce((sum, unit) => sum + openFilesOf(unit), 0),
    };
  }

  function stepsOfUnit(unit: ScanUnit): readonly UnitStep[] {
    const passed = stored.passedBefore(unit.path).map(passedStep);
    const known = stored.takeAt(unit.path);
    return [...passed, known === null ? readStep(unit, null) : compare(unit, known)];
  }

  function compare(unit: ScanUnit, known: StoredUnit): UnitStep {
    const isUnchanged = !options.force && known.signature === signatureOf(unit);
    if (isUnchanged || hidden.has(unit.path)) return { kind: "kept", bookCount: known.bookCount };
    return readStep(unit, known);
  }

  function readStep(unit: ScanUnit, known: StoredUnit | null): UnitStep {
    const entries =
      known === null || options.force ? null : options.catalogue.unitEntries(readers.rootId, unit.path);
    return {
      kind: "read",
      unit,
      signature: signatureOf(unit),
      bookCount: known?.bookCount ?? 0,
      reading: pending(readUnit(readers, unit, entries ?? [])),
    };
  }

  function passedStep(unit: StoredUnit): UnitStep {
    if (hidden.has(unit.path)) return { kind: "kept", bookCount: unit.bookCount };
    return goneStep(readers.rootPath, unit, true);
  }

  return {
    next(folder) {
      hidden.add(folder);
      const { units, doneUpTo } = builder.push(folder);
      const steps = units.flatMap(stepsOfUnit);
      if (doneUpTo !== folder.path) return stepOf(folder, steps, null);
      // Nothing is held back: what is stored up to here and was not met is gone.
      const passed = stored.passedUpTo(folder.path).map(passedStep);
      hidden.forgetUpTo(folder.path);
      return stepOf(folder, [...steps, ...passed], folder.path);
    },
    *end() {
      yield stepOf(null, builder.end().flatMap(stepsOfUnit), null);
      for (const unit of stored.rest()) yield stepOf(null, [passedStep(unit)], null);
    },
  };
}

/**
 * Looks for the folder of a stored unit, which stays where its absence is not certain. `wasWalked` says that
 * the walk passed it: then a folder that is there holds no audio any more, or is left out now.
 */
export function goneStep(rootPath: string, unit: StoredUnit, wasWalked: boolean): UnitStep {
  const absolute = joinPath(rootPath, unit.path);
  const isGone = fs.stat(absolute).then(
    (stats) => wasWalked || !stats.isDirectory(),
    (error: unknown) => {
      if (isDiskLost(error)) throw diskLost(absolute, error);
      return isNotThere(error);
    },
  );
  const { path, bookCount } = unit;
  return { kind: "gone", path, bookCount, isCounted: !wasWalked, isGone: pending(isGone) };
}

/** True where nothing of the step is under way any more. */
export function isReady(step: Step): boolean {
  return step.units.every((unit) => pendingOf(unit)?.outcome() !== null);
}

/** Resolves when nothing of the step is under way any more, well or not. */
export async function stepSettled(step: Step): Promise<void> {
  for (const unit of step.units) await pendingOf(unit)?.settled;
}

function pendingOf(unit: UnitStep): Pending<unknown> | undefined {
  switch (unit.kind) {
    case "kept":
      return undefined;
    case "gone":
      return unit.isGone;
    case "read":
      return unit.reading;
  }
}

function openFilesOf(unit: UnitStep): number {
  if (unit.kind === "kept") return 0;
  return unit.kind === "gone" ? 1 : unit.unit.files.length;
}

function pending<T>(promise: Promise<T>): Pending<T> {
  let outcome: ReturnType<Pending<T>["outcome"]> = null;
  const settled = promise.then(
    (value) => {
      outcome = { ok: true, value };
    },
    (reason: unknown) => {
      outcome = { ok: false, reason };
    },
  );
  return { settled, outcome: () => outcome };
}
