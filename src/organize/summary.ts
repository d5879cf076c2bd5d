import { type BatchEnded, isOfBatch } from "../domain/journal.ts";
import { type Conflict, type Method, placeText } from "../domain/organize.ts";
import type { BatchRecords } from "./batch-records.ts";

/** As many conflicts and leftovers as a summary shows; the counts are exact. */
export const shownInSummary = 100;

/** The contract's summary of an organize or an undo, from the journal alone: after a crash it is the same. */
export function summaryOf(batch: BatchRecords, ended: BatchEnded): Readonly<Record<string, unknown>> {
  const strategy: Partial<Record<Method, number>> = {};
  let bytes = 0;
  const steps = batch.steps.filter(({ planned }) => isOfBatch(planned));
  for (const { planned, done } of steps) {
    if (done !== null) strategy[done.method] = (strategy[done.method] ?? 0) + 1;
    bytes += (planned.place ?? planned.removes[0])?.facts.sizeBytes ?? 0;
  }
  const leftovers = ended.kept.map(({ file, reason }) => ({ path: placeText(file), message: reason }));
  return {
    books: batch.books.length,
    files: steps.length,
    bytes,
    strategy,
    ...batch.begun.planned,
    leftover_count: leftovers.length,
    leftovers: leftovers.slice(0, shownInSummary),
    seconds: Math.max(0, Date.parse(ended.at) - Date.parse(batch.begun.at)) / 1000,
  };
}

/** A conflict as it stands in summaries and error details. */
export function conflictRecord({
  bookId,
  path,
  code,
  with: other,
  message,
}: Conflict): Readonly<Record<string, unknown>> {
  return { book: bookId, path: placeText(path), code, with: other, message };
}
