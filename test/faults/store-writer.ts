import { openStore } from "../../src/store/open.ts";
import { unit } from "../contracts/catalogue-store.ts";
import { checkpoint, problem } from "../contracts/checkpoint-store.ts";
import { operation } from "../contracts/operation-store.ts";

/**
 * Writes to the store in the folder that it is given until it is killed, several things at a time, and says on
 * standard output what was acknowledged, a line each: `operation <id> <attempts>`, `checkpoint <id> <folders>`,
 * `books <count>`.
 */
const store = await openStore({ dataDir: process.argv[2] ?? "", now: () => new Date() });

async function writeOperations(): Promise<never> {
  for (;;) {
    const created = operation({ createdAt: new Date().toISOString(), input: { text: "x".repeat(300) } });
    for (let attempts = 0; attempts < 3; attempts++) {
      await store.operations.put({ ...created, attempts, state: attempts === 2 ? "completed" : "running" });
      console.log(`operation ${created.id} ${attempts}`);
    }
  }
}

async function writeCheckpoints(operationId: string): Promise<never> {
  for (let folders = 1; ; folders++) {
    const { counts } = checkpoint();
    await store.checkpoints.save(checkpoint({ operationId, counts: { ...counts, dirs: folders } }), [
      problem(folders),
    ]);
    console.log(`checkpoint ${operationId} ${folders}`);
  }
}

async function writeBooks(): Promise<never> {
  const from = store.catalogue.totals().books;
  for (let books = from; ; books++) {
    store.catalogue.commit("op", [unit(`Book ${books}`)]);
    await store.catalogue.flush();
    console.log(`books ${books + 1}`);
  }
}

await Promise.race([
  ...Array.from({ length: 8 }, writeOperations),
  writeCheckpoints("op-1"),
  writeCheckpoints("op-2"),
  writeBooks(),
]);
