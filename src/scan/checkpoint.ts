import type { ScanCheckpoint, ScanProblem } from "../domain/scan.ts";

/** What a saver needs of the catalogue and of the checkpoint store. */
export interface CheckpointTarget {
  /** Makes what was committed to the catalogue so far durable. */
  flush(): Promise<void>;
  save(checkpoint: ScanCheckpoint, newProblems: readonly ScanProblem[]): Promise<void>;
}

/** Saves checkpoints beside the scan, which does not wait for the disk. */
export interface CheckpointSaver {
  /**
   * Takes over a checkpoint whose books have been committed. One save runs at a time; of those that come
   * meanwhile only the newest is saved, with the problems of all. Throws what an earlier save failed with.
   */
  save(checkpoint: ScanCheckpoint, newProblems: readonly ScanProblem[]): void;
  /** Resolves when the newest checkpoint is durable. Rejects with what a save failed with. */
  settled(): Promise<void>;
}

export function createCheckpointSaver(target: CheckpointTarget): CheckpointSaver {
  let next: ScanCheckpoint | null = null;
  let problems: ScanProblem[] = [];
  let running: Promise<void> | null = null;
  let failure: { readonly reason: unknown } | null = null;

  async function saveAll(): Promise<void> {
    while (next !== null && failure === null) {
      const checkpoint = next;
      const newProblems = problems;
      next = null;
      problems = [];
      try {
        await target.flush();
        await target.save(checkpoint, newProblems);
      } catch (reason) {
        failure = { reason };
      }
    }
    running = null;
  }

  return {
    save(checkpoint, newProblems) {
      if (failure !== null) throw failure.reason;
      next = checkpoint;
      problems.push(...newProblems);
      running ??= saveAll();
    },
    async settled() {
      await running;
      if (failure !== null) throw failure.reason;
    },
  };
}
