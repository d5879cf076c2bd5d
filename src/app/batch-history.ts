import type { BatchRecord, JournalRecord } from "../domain/journal.ts";
import type { LastBatch, RootPath } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import { undoableUntilMs } from "../organize/retention.ts";
import type { JournalStore } from "../store/ports.ts";

/** A batch as people look back on it. */
interface BatchEntry {
  readonly batch: BatchRecord;
  /** RFC 3339; null where it cannot be undone, or not any more. */
  readonly undoableUntil: string | null;
  /** From where to where, where one batch is asked for. */
  readonly moves?: readonly { readonly from: RootPath; readonly to: RootPath }[];
}

interface HistoryAsked {
  readonly operationId?: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

export interface BatchHistory {
  /** What each batch did, newest first. Throws `not_found` for one that is not known, `store_damaged` for its journal. */
  look(asked: HistoryAsked): Promise<{ readonly items: readonly BatchEntry[]; readonly total: number }>;
  /** The newest batch that put books in order, undone since or not; null where there is none. */
  last(): LastBatch | null;
  /** Id of the newest batch that can be undone; null where there is none. */
  newestUndoable(): string | null;
}

/** What was organized and undone, as the journals remember it. */
export function createBatchHistory(
  journals: Pick<JournalStore, "batch" | "batches" | "read">,
  undoDays: () => number,
): BatchHistory {
  function undoableUntil(batch: BatchRecord): string | null {
    const untilMs = isUndoable(batch) ? undoableUntilMs(batch, undoDays()) : null;
    return untilMs === null ? null : new Date(untilMs).toISOString();
  }

  return {
    async look({ operationId, limit, offset }) {
      if (operationId === undefined) {
        const all = journals.batches();
        const items = all.slice(offset, offset + limit);
        return {
          items: items.map((batch) => ({ batch, undoableUntil: undoableUntil(batch) })),
          total: all.length,
        };
      }
      const batch = journals.batch(operationId);
      if (batch === null) throw noBatch(operationId);
      const moves = hasJournal(batch) ? movesOf(await journals.read(operationId)) : [];
      return { items: [{ batch, undoableUntil: undoableUntil(batch), moves }], total: 1 };
    },
    last() {
      const batch = journals.batches().find((each) => isUndoable(each) || each.state === "undone");
      if (batch === undefined || batch.finishedAt === null) return null;
      const { operationId, finishedAt, books, files } = batch;
      return { operationId, finishedAt, books, files, undoableUntil: undoableUntil(batch) };
    },
    newestUndoable: () => journals.batches().find(isUndoable)?.operationId ?? null,
  };
}

function isUndoable({ kind, state }: BatchRecord): boolean {
  return kind === "organize" && (state === "ended" || state === "partly_undone");
}

/** One that is under way is still being written, and of one that was rolled back nothing is there. */
function hasJournal({ state }: BatchRecord): boolean {
  return state !== "open" && state !== "rolled_back";
}

function movesOf(records: readonly JournalRecord[]): NonNullable<BatchEntry["moves"]> {
  const planned = records.flatMap((record) => (record.type === "planned" ? [record] : []));
  // They were begun as the disk allowed; the plan's order is the books'.
  return planned
    .sort((a, b) => a.n - b.n)
    .flatMap(({ place, relocates }) => {
      if (relocates !== null) return relocates;
      return place === null ? [] : { from: place.source, to: place.destination };
    });
}

function noBatch(operationId: string): AppError {
  return new AppError(
    "not_found",
    `No batch ${operationId} is known: it never was, or it is forgotten by now`,
    {
      details: { operation_id: operationId },
    },
  );
}
