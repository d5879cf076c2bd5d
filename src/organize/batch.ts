import type { CommitOutcome } from "../domain/catalogue.ts";
import type { BatchStep, JournalBook, JournalRoot } from "../domain/journal.ts";
import type { Relocation, RootPath } from "../domain/organize.ts";
import type { JournalStore } from "../store/ports.ts";

/** All of it or nothing. */
export interface Batch {
  readonly operationId: string;
  readonly kind: "organize" | "undo";
  readonly undoes: string | null;
  readonly roots: readonly JournalRoot[];
  readonly books: readonly Omit<JournalBook, "type">[];
  readonly steps: readonly BatchStep[];
  /** Stands in the summary: conflicts, what was skipped or refused. */
  readonly planned: Readonly<Record<string, unknown>>;
}

/** What batches work with. */
export interface BatchDeps {
  readonly journals: JournalStore;
  readonly catalogue: {
    relocate(operationId: string, relocations: readonly Relocation[]): CommitOutcome;
    flush(): Promise<void>;
  };
  readonly settings: () => BatchSettings;
  /** Whether the operation of a batch has not ended: one that was parked then goes on. */
  readonly goesOn: (operationId: string) => boolean;
  /** Ids of batches that run now: their journals are open, and they are not to be recovered. */
  readonly running: Set<string>;
  /** Ids of batches that are being recovered now, by whoever came first. */
  readonly recovering: Set<string>;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly onBooks: (operationId: string, outcome: CommitOutcome) => void;
  readonly warn: (message: string) => void;
}

export interface BatchSettings {
  /** Files placed at the same time. */
  readonly concurrency: number;
  /** Whether files that are only linked are hashed too. */
  readonly hashLinks: boolean;
}

/** A file that stayed where it should have gone, with the reason; nothing is lost by it. */
export interface Leftover {
  readonly file: RootPath;
  readonly reason: string;
}
