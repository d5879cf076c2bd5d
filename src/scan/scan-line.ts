import type { ScanBatch } from "./scan-batch.ts";
import { isReady, type Step, stepSettled } from "./scan-steps.ts";

/** Files being read, and folders under way, at which the walk waits: enough to keep every reader busy. */
const filesAhead = 512;
const foldersAhead = 2000;

/** The steps that are under way, in the walk's order: at its end they are taken into the batch. */
export interface StepLine {
  push(step: Step): void;
  /** Takes what is ready at the front, and waits there while too much is ahead. Throws the signal's reason. */
  drain(): Promise<void>;
  /** Takes all. */
  drainAll(): Promise<void>;
  /** Takes what is ready at the front and waits for nothing. */
  takeReady(): Promise<void>;
  /** Resolves when nothing is under way any more, well or not. */
  settled(): Promise<void>;
  /** True while files are being read for it. */
  isReading(): boolean;
}

export interface StepLineOptions {
  readonly batch: ScanBatch;
  readonly signal: AbortSignal;
  /** Called before each wait: the walk is held back by the reading. */
  readonly onHeld: () => void;
  /** Called after each step that took reading. */
  readonly onRead: () => void;
}

export function createStepLine({ batch, signal, onHeld, onRead }: StepLineOptions): StepLine {
  const steps: Step[] = [];
  let openFiles = 0;

  async function drainTo(maxFiles: number, maxSteps: number): Promise<void> {
    for (let step = steps[0]; step !== undefined; step = steps[0]) {
      if (!isReady(step)) {
        if (openFiles <= maxFiles && steps.length <= maxSteps) return;
        onHeld();
        await stepSettled(step);
        signal.throwIfAborted();
      }
      await takeFirst(step);
      await batch.commitIfDue();
      if (step.openFiles > 0) onRead();
    }
  }

  async function takeFirst(step: Step): Promise<void> {
    await batch.take(step);
    steps.shift();
    openFiles -= step.openFiles;
  }

  return {
    push(step) {
      steps.push(step);
      openFiles += step.openFiles;
    },
    drain: () => drainTo(filesAhead, foldersAhead),
    drainAll: () => drainTo(0, 0),
    async takeReady() {
      for (let step = steps[0]; step !== undefined && isReady(step); step = steps[0]) await takeFirst(step);
    },
    async settled() {
      await Promise.all(steps.map(stepSettled));
    },
    isReading: () => openFiles > 0,
  };
}
