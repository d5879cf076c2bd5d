import type { OrganizeProgress } from "../domain/organize.ts";

/** What a batch says while it runs. */
export interface BatchProgress {
  readonly totals: ProgressTotals;
  readonly enter: (state: OrganizeProgress["state"]) => void;
  /** Bytes hashed or copied. */
  readonly bytes: (count: number) => void;
  /** One file of the book is at its place. */
  readonly placed: (bookId: string) => void;
}

export interface ProgressTotals {
  /** Files by book. */
  readonly filesOf: ReadonlyMap<string, number>;
  readonly bytes: number;
  /** Bytes that will be hashed or copied at the most: a copied byte is read, written and read again. */
  readonly work: number;
  readonly conflicts: number;
}

/** Sums a batch up for the topic. `percent` goes by bytes, of empty files by their number. */
export function createBatchProgress(
  operationId: string,
  totals: ProgressTotals,
  onProgress: (progress: OrganizeProgress) => void,
): BatchProgress {
  const left = new Map(totals.filesOf);
  const filesTotal = [...totals.filesOf.values()].reduce((sum, files) => sum + files, 0);
  let state: OrganizeProgress["state"] = "planning";
  let filesDone = 0;
  let booksDone = 0;
  let workDone = 0;

  function tell(): void {
    const share = totals.work === 0 ? filesDone / Math.max(1, filesTotal) : workDone / totals.work;
    const done = filesDone === filesTotal ? 1 : Math.min(share, 0.999);
    onProgress({
      state,
      operationId,
      booksTotal: totals.filesOf.size,
      booksDone,
      filesTotal,
      filesDone,
      bytesTotal: totals.bytes,
      bytesDone: Math.floor(done * totals.bytes),
      percent: Math.floor(done * 1000) / 10,
      conflicts: totals.conflicts,
    });
  }

  return {
    totals,
    enter: (next) => {
      state = next;
      tell();
    },
    bytes: (count) => {
      workDone += count;
      tell();
    },
    placed: (bookId) => {
      filesDone++;
      const files = (left.get(bookId) ?? 1) - 1;
      left.set(bookId, files);
      if (files === 0) booksDone++;
      tell();
    },
  };
}
