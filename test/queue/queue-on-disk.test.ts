import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createQueue } from "../../src/queue/queue.ts";
import { openStore, type Store } from "../../src/store/open.ts";
import type { OperationStore } from "../../src/store/ports.ts";
import { queueContract } from "../contracts/queue-contract.ts";
import { settle } from "../contracts/queue-work.ts";

queueContract("the queue of one process, on the store it ships with,", async () => {
  const dataDir = await mkdtemp(path.join(os.tmpdir(), "tomekeeper-queue-"));
  let store: Store | null = null;
  let writes = 0;
  const counting = (operations: OperationStore): OperationStore => ({
    put: async (operation) => {
      writes++;
      try {
        await operations.put(operation);
      } finally {
        writes--;
      }
    },
    get: (id) => operations.get(id),
    list: (filter) => operations.list(filter),
    unfinished: () => operations.unfinished(),
    countByState: () => operations.countByState(),
    byTransaction: (transaction) => operations.byTransaction(transaction),
  });
  return {
    open: async (parts) => {
      await store?.close();
      store = await openStore({ dataDir, now: () => new Date(parts.now()) });
      return createQueue({ ...parts, store: counting(store.operations) });
    },
    settled: async () => {
      do await settle();
      while (writes > 0);
    },
    close: async () => {
      await store?.close();
      await rm(dataDir, { recursive: true });
    },
  };
});
