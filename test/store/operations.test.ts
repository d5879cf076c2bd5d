import { copyFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openOperations } from "../../src/store/operations.ts";
import { operation, operationStoreContract } from "../contracts/operation-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";
import { fileBackend, opening } from "./file-backend.ts";

operationStoreContract("a NeDB file", () => fileBackend(openOperations));

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
});

afterEach(() => folder.dispose());

test("keeps the newest ten thousand ended operations", async () => {
  const operations = await openOperations(opening(folder));
  const at = (index: number) => new Date(Date.UTC(2026, 0, 1) + index).toISOString();
  const waiting = operation({ state: "waiting", createdAt: at(0) });
  await operations.put(waiting);
  const puts = Array.from({ length: 10_010 }, (_, index) =>
    operations.put(operation({ state: "completed", createdAt: at(index + 1), finishedAt: at(index + 1) })),
  );
  await Promise.all(puts);
  await operations.close();
  const again = await openOperations(opening(folder));
  const { items, total } = again.list({ state: "completed", limit: 1, offset: 9999 });
  expect(total).toBe(10_000);
  expect(items[0]?.createdAt).toBe(at(11));
  expect(again.unfinished()).toEqual([waiting]);
  await again.close();
});

test("reads the file of schema version 1", async () => {
  await copyFile(path.join(import.meta.dirname, "fixtures/operations-v1.db"), folder.at("operations.db"));
  const operations = await openOperations(opening(folder));
  const { items } = operations.list({ limit: 10, offset: 0 });
  expect(items.map(({ id, state }) => [id, state])).toEqual([
    ["22222222-2222-4222-8222-222222222222", "queued"],
    ["11111111-1111-4111-8111-111111111111", "failed"],
  ]);
  expect(items[1]).toMatchObject({
    kind: "scan",
    scopes: ["books:/Émile Zola"],
    input: { root_id: "books", "a.b": { $c: 1 } },
    error: { code: "internal", message: "disk lost", retryable: true, details: null },
    summary: { problem_count: 0 },
  });
  expect(operations.readOnly).toBe(false);
  await operations.close();
});
