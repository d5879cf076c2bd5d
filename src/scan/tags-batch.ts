import type { TrackOutcome } from "./read-track.ts";

/** What goes to a worker at once: many files a message, since a message costs as much as a small file. */
export interface TagBatch {
  /** Absolute. */
  readonly paths: readonly string[];
  /** One number, shared: which file is being read, from 1; 0 before the first, -1 when all are done. */
  readonly progress: Int32Array;
}

/** In the order of the paths; ends early after one that says the disk is gone. */
export type TagBatchAnswer = readonly TrackOutcome[];
