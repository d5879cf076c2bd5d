import type { CommitOutcome } from "../domain/catalogue.ts";
import type { JournalBook, JournalRoot, PlannedRemoval, StepPlanned } from "../domain/journal.ts";
import type { FileFacts, Relocation, RootPath, Strategy } from "../domain/organize.ts";
import type { JournalStore } from "../store/ports.ts";

/** One file of a batch: placed, removed once the batch is committed, or both. */
export interface BatchStep {
  readonly bookId: string;
  readonly role: "track" | "companion";
  readonly place: {
    readonly source: RootPath;
    readonly destination: RootPath;
    readonly strategy: Strategy;
    /** What is known of the source; it must still be so. Null: it is looked at and hashed now. */
    readonly known: { readonly facts: FileFacts; readonly sha256: string | null } | null;
    /** Whether the source goes too once all is committed. */
    readonly discardsSource: boolean;
  } | null;
  readonly removes: readonly PlannedRemoval[];
  readonly relocates: StepPlanned["relocates"];
}

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
