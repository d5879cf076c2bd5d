import { createQueue } from "../../src/queue/queue.ts";
import { queueContract } from "../contracts/queue-contract.ts";
import { settle } from "../contracts/queue-work.ts";
import { createMemoryStore } from "./memory-store.ts";

queueContract("the queue of one process", async () => {
  const store = createMemoryStore();
  return {
    open: async (parts) => createQueue({ ...parts, store }),
    settled: settle,
    close: async () => {},
  };
});
