interface Progress {
  readonly operationId: string | null;
  readonly state: string;
}

/** States in which nothing is under way any more. */
const ends: ReadonlySet<string> = new Set(["idle", "failed", "paused"]);

/**
 * Makes one picture of operations that run at the same time, for the one topic that tells of them: the one that began
 * first is shown until it ends, then the next. The last value of every one is shown, whichever that was.
 */
export function createProgressView<P extends Progress>(show: (progress: P) => void): (progress: P) => void {
  /** The latest of each that is under way, in the order of beginning. */
  const underWay = new Map<string | null, P>();
  return (progress) => {
    const { operationId, state } = progress;
    if (ends.has(state)) {
      underWay.delete(operationId);
      show(progress);
      const [next] = underWay.values();
      if (next !== undefined) show(next);
      return;
    }
    underWay.set(operationId, progress);
    const [first] = underWay.values();
    if (first === progress) show(progress);
  };
}
