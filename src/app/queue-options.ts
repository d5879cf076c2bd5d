import type { Config } from "../config/schema.ts";
import { defaultRetry } from "../config/schema.ts";
import { type Operation, type OperationKind, operationKinds } from "../domain/operation.ts";
import type { Pauses, RetryPolicy } from "../domain/queue.ts";
import type { Store } from "../store/open.ts";

/** What a queue is given of the configuration and the store. */
export function queueOptions(config: Config, store: Store) {
  return {
    store: store.operations,
    pauses: {
      load: (): Pauses => store.settings.get().paused,
      save: ({ all, kinds }: Pauses) => store.settings.put({ paused: { all, kinds: [...kinds] } }),
    },
    retry: Object.fromEntries(operationKinds.map((kind) => [kind, retryPolicy(config, kind)])),
    progressOf: (operation: Operation) => progressOf(store, operation),
    setTimer: (work: () => void, ms: number) => {
      const timer = setTimeout(work, ms);
      return () => clearTimeout(timer);
    },
    agingMs: config.queue.aging_minutes * 60_000,
    limit: config.queue.limit,
  };
}

function retryPolicy({ queue }: Config, kind: OperationKind): RetryPolicy {
  const { attempts, first_seconds: first, most_seconds: most } = queue.retry[kind] ?? defaultRetry;
  return { attempts, baseMs: first * 1000, maxMs: most * 1000 };
}

/** By what a crash leaves: folders scanned, or bytes of the journal. */
async function progressOf({ checkpoints, journals }: Store, { id, kind }: Operation): Promise<number> {
  if (kind === "scan") return checkpoints.load(id)?.checkpoint.counts.dirs ?? 0;
  return await journals.sizeOf(id);
}
