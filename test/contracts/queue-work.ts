import type {
  Operation,
  OperationContext,
  OperationRequest,
  OperationRun,
} from "../../src/domain/operation.ts";

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
