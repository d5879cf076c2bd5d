import type { BatchEnded } from "../domain/journal.ts";
import type { RelocatedFile, Relocation } from "../domain/organize.ts";
import { mtimeMsOf } from "../files/facts.ts";
import type { BatchRecords } from "./batch-records.ts";

/** What the catalogue is told of a committed batch: for each book where its files are now. */
export function relocationsOf(batch: BatchRecords, kept: BatchEnded["kept"]): readonly Relocation[] {
  const keptSteps = new Set(kept.map(({ n }) => n));
  return batch.books.map(({ bookId, to }) => {
    const steps = batch.steps.filter(({ planned }) => planned.bookId === bookId);
    const files = steps.flatMap(({ planned, done }): readonly RelocatedFile[] => {
      const { relocates } = planned;
      const there = relocates?.there ?? done;
      if (relocates === null || there === null) return [];
      const { facts } = there;
      // What went back is not ours to watch over any more.
      const sha256 = batch.begun.kind === "undo" ? null : there.sha256;
      const { from, to: place } = relocates;
      return [{ from, to: place, sizeBytes: facts.sizeBytes, mtimeMs: mtimeMsOf(facts.mtimeNs), sha256 }];
    });
    const sourceStays = steps.some(
      ({ planned: { n, removes, relocates } }) =>
        relocates !== null && (removes.length === 0 || keptSteps.has(n)),
    );
    return { bookId, to, files, sourceStays };
  });
}
