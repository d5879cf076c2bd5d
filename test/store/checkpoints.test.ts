import { copyFile, stat } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCheckpoints } from "../../src/store/checkpoints.ts";
import { checkpoint, checkpointStoreContract, problem } from "../contracts/checkpoint-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";
import { fileBackend, opening } from "./file-backend.ts";

checkpointStoreContract("a NeDB file", () => fileBackend(openCheckpoints));

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
});

afterEach(() => folder.dispose());

test("writes as many bytes for the thousandth save as for the second", async () => {
  const checkpoints = await openCheckpoints(opening(folder));
  const grownBytes: number[] = [];
  let sizeBytes = 0;
  for (let save = 0; save < 1000; save++) {
    const counts = { ...checkpoint().counts, dirs: 100_000 + save };
    await checkpoints.save(checkpoint({ cursor: `Author/${100_000 + save}`, counts }), []);
    const after = (await stat(folder.at("checkpoints.db"))).size;
    grownBytes.push(after - sizeBytes);
    sizeBytes = after;
  }
  const [, second = 0] = grownBytes;
  expect(Math.max(...grownBytes.slice(1))).toBeLessThan(second + 20);
  expect(sizeBytes).toBeLessThan(1000 * 700);
  await checkpoints.close();
});

test("leaves no trace of a removed checkpoint in the file after the next start", async () => {
  const checkpoints = await openCheckpoints(opening(folder));
  await checkpoints.save(checkpoint(), [problem(1)]);
  await checkpoints.keepOnly(() => false);
  await checkpoints.close();
  await (await openCheckpoints(opening(folder))).close();
  expect((await stat(folder.at("checkpoints.db"))).size).toBeLessThan(200);
});

test("reads the file of schema version 1", async () => {
  await copyFile(path.join(import.meta.dirname, "fixtures/checkpoints-v1.db"), folder.at("checkpoints.db"));
  const checkpoints = await openCheckpoints(opening(folder));
  expect(checkpoints.load("op-1")).toEqual({ checkpoint: checkpoint(), problems: [problem(7)] });
  await checkpoints.close();
});
