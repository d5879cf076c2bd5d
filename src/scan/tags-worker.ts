import { readPicture } from "./read-picture.ts";
import { createTrackReader } from "./read-track.ts";
import type { TagBatch, TagBatchAnswer } from "./tags-batch.ts";

const readTrack = createTrackReader();

/** Runs in a worker thread. Whoever watches `progress` may end the thread at any time. */
export default function readBatch({ paths, progress }: TagBatch): TagBatchAnswer {
  const outcomes: TagBatchAnswer[number][] = [];
  for (const [i, path] of paths.entries()) {
    Atomics.store(progress, 0, i + 1);
    const outcome = readTrack(path);
    outcomes.push(outcome);
    if ("lost" in outcome) break;
  }
  Atomics.store(progress, 0, -1);
  return outcomes;
}

/** The other thing that it does: gives out the picture that is in a file, an absolute path. */
export function picture(path: string): Uint8Array | null {
  return readPicture(path);
}
