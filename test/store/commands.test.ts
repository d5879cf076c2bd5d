import { copyFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openCommands } from "../../src/store/commands.ts";
import { commandStoreContract, record } from "../contracts/command-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";
import { fileBackend, opening } from "./file-backend.ts";

commandStoreContract("a NeDB file", () => fileBackend(openCommands));

let folder: Tree;

beforeEach(async () => {
  folder = await makeTree();
});

afterEach(() => folder.dispose());

test("drops the oldest complete records when the answers of a day outgrow the memory", async () => {
  const commands = await openCommands(opening(folder));
  const answers = [{ text: "x".repeat(1024 * 1024) }];
  await commands.put(record({ transaction: "owing", complete: false, answers: [] }));
  for (let index = 0; index < 20; index++) await commands.put(record({ transaction: `t${index}`, answers }));
  expect(commands.get("scan", "t0")).toBeNull();
  expect(commands.get("scan", "t19")).not.toBeNull();
  expect(commands.get("scan", "owing")).not.toBeNull();
  await commands.close();
});

test("reads the file of schema version 1", async () => {
  await copyFile(path.join(import.meta.dirname, "fixtures/commands-v1.db"), folder.at("commands.db"));
  const now = new Date("2026-01-01T12:00:00.000Z");
  const commands = await openCommands(opening(folder, () => now));
  expect(commands.get("scan", "t1")).toEqual(record({ complete: false }));
  expect(commands.open()).toHaveLength(1);
  await commands.close();
});
