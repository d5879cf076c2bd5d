import type {
  Operation,
  OperationContext,
  OperationRequest,
  OperationRun,
} from "../../src/domain/operation.ts";
import type { Pauses, WorkerLimits } from "../../src/domain/queue.ts";

/** Work whose end the test decides, one job per run, in the order in which they began. */
export interface Work {
  readonly run: OperationRun;
  readonly jobs: Job[];
  /** The job of this operation's latest run, once it has begun. */
  begun(id: string): Promise<Job>;
  runningIds(): readonly string[];
}

interface Job {
  readonly operation: Operation;
  readonly context: OperationContext;
  isRunning: boolean;
  finish(summary?: Readonly<Record<string, unknown>>): void;
  fail(error: unknown): void;
}

/** `heedsSignal`: ends with the signal's reason when it is aborted, as work should. */
export function createWork({ heedsSignal = true } = {}): Work {
  const jobs: Job[] = [];
  const waiting = new Map<string, PromiseWithResolvers<Job>>();
  return {
    jobs,
    run: async (operation, context) => {
      const end = Promise.withResolvers<Readonly<Record<string, unknown>>>();
      const job: Job = {
        operation,
        context,
        isRunning: true,
        finish: (summary = {}) => end.resolve(summary),
        fail: (error) => end.reject(error),
      };
      if (heedsSignal) context.signal.addEventListener("abort", () => job.fail(context.signal.reason));
      jobs.push(job);
      waiting.get(operation.id)?.resolve(job);
      waiting.delete(operation.id);
      try {
        return await end.promise;
      } finally {
        job.isRunning = false;
      }
    },
    async begun(id) {
      const job = jobs.findLast((each) => each.operation.id === id && each.isRunning);
      if (job !== undefined) return job;
      const begin = Promise.withResolvers<Job>();
      waiting.set(id, begin);
      return await begin.promise;
    },
    runningIds: () => jobs.filter((job) => job.isRunning).map((job) => job.operation.id),
  };
}

/** So many workers, never more or fewer. */
export function fixed(workers: number): WorkerLimits {
  return { min: workers, max: workers };
}

/** Pauses that outlive a queue, not the test. */
export function memoryPauses(): { load(): Pauses; save(pauses: Pauses): Promise<void> } {
  let kept: Pauses = { all: false, kinds: [] };
  return {
    load: () => kept,
    save: async (pauses) => {
      kept = pauses;
    },
  };
}

/** A clock that the test moves; what is due runs as it passes. */
export interface TestClock {
  nowMs: number;
  readonly setTimer: (work: () => void, ms: number) => () => void;
  advance(ms: number): void;
}

export function createTestClock(): TestClock {
  const timers = new Set<{ readonly dueMs: number; readonly work: () => void }>();
  const clock: TestClock = {
    nowMs: Date.parse("2026-01-01T00:00:00.000Z"),
    setTimer: (work, ms) => {
      const timer = { dueMs: clock.nowMs + ms, work };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      clock.nowMs += ms;
      for (const timer of [...timers].sort((a, b) => a.dueMs - b.dueMs)) {
        if (timer.dueMs <= clock.nowMs && timers.delete(timer)) timer.work();
      }
    },
  };
  return clock;
}

/** What a queue needs besides, for tests that are about something else. */
export function plainParts() {
  return {
    pauses: memoryPauses(),
    retry: {},
    progressOf: () => 0,
    random: () => 0.5,
    setTimer: () => () => {},
  };
}

/** Lets everything that can happen without the test happen. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function request(
  scopes: string | readonly string[],
  change: Partial<OperationRequest> = {},
): OperationRequest {
  return {
    kind: "organize",
    priority: "normal",
    scopes: typeof scopes === "string" ? [scopes] : scopes,
    input: {},
    transaction: null,
    ...change,
  };
}
