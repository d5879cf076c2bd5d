import { isEnded, type Operation, type OperationState } from "../../src/domain/operation.ts";
import type { OperationStore } from "../../src/store/ports.ts";

export interface MemoryStore extends OperationStore {
  /** Every record that was made durable, in order. */
  readonly written: Operation[];
  /** Runs before a record becomes durable; a throw is the failure of that write. */
  onPut: (operation: Operation) => void | Promise<void>;
}

const none: Readonly<Record<OperationState, number>> = {
  queued: 0,
  waiting: 0,
  running: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
  interrupted: 0,
};

/** Keeps operations as long as the test holds it: opened again by a new queue, it is the disk after a crash. */
export function createMemoryStore(): MemoryStore {
  const records = new Map<string, Operation>();
  const newestFirst = () => [...records.values()].reverse();
  const store: MemoryStore = {
    written: [],
    onPut: () => {},
    async put(operation) {
      await store.onPut(operation);
      const copy = structuredClone(operation);
      records.set(operation.id, copy);
      store.written.push(copy);
    },
    get: (id) => records.get(id) ?? null,
    list({ state, limit, offset }) {
      const matching = newestFirst().filter((each) => state === undefined || each.state === state);
      return { items: matching.slice(offset, offset + limit), total: matching.length };
    },
    unfinished: () => [...records.values()].filter((each) => !isEnded(each.state)),
    countByState() {
      const counts: Record<OperationState, number> = { ...none };
      for (const { state } of records.values()) counts[state]++;
      return counts;
    },
    byTransaction: (transaction) => newestFirst().filter((each) => each.transaction === transaction),
  };
  return store;
}
