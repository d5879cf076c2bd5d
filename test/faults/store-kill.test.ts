import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeTree, type Tree } from "../fixtures/tree.ts";
import { acknowledgedMore, lostFrom, nothingAcknowledged, startWriter } from "./store-acknowledged.ts";

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
});

afterEach(() => folder.dispose());

test("everything acknowledged is there after kill -9 at thirty random moments", async () => {
  const acknowledged = nothingAcknowledged();
  for (let round = 0; round < 30; round++) {
    const writer = startWriter(folder.path, acknowledged);
    await acknowledgedMore(acknowledged, 1 + Math.floor(Math.random() * 40), writer);
    await delay(Math.random() * 20);
    writer.process.kill("SIGKILL");
    await writer.ended;
    expect(writer.process.signalCode).toBe("SIGKILL");
    expect(await lostFrom(folder.path, acknowledged)).toEqual([]);
    // The writer begins its checkpoints anew.
    acknowledged.checkpoints.clear();
  }
  expect(acknowledged.operations.size).toBeGreaterThan(100);
  expect(acknowledged.books).toBeGreaterThan(30);
});
