import { readFile, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openAnswers } from "../../src/store/answers.ts";
import { openBreakers } from "../../src/store/breakers.ts";
import type { StoreIssue } from "../../src/store/ports.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let issues: StoreIssue[];
const report = (issue: StoreIssue) => void issues.push(issue);
const open = (nowMs = 0) => openAnswers(folder.path, nowMs, report);

beforeEach(async () => {
  folder = await makeTree();
  issues = [];
});
afterEach(() => folder.dispose());

test("keeps answers over a restart, until they expire", async () => {
  const first = await open();
  first.put("a", "one", 1000);
  first.put("a", "two", 2000);
  first.put("b", "three", 500);
  first.close();
  const second = await open(600);
  expect(second.get("a", 1999)).toBe("two");
  expect(second.get("a", 2000)).toBeNull();
  expect(second.get("b", 0)).toBeNull();
  second.close();
  expect(issues).toEqual([]);
});

test("makes a file anew that is none of ours or broken: its answers can be asked for again", async () => {
  await writeFile(folder.at("answers.db"), "x".repeat(20_000));
  const answers = await open();
  answers.put("a", "one", 1000);
  expect(answers.get("a", 0)).toBe("one");
  answers.close();
  expect(issues).toEqual([]);
});

test("makes a file anew that another version wrote", async () => {
  (await open()).close();
  const other = new DatabaseSync(folder.at("answers.db"));
  other.exec("PRAGMA user_version = 99");
  other.close();
  const answers = await open();
  answers.put("a", "one", 1000);
  answers.close();
  const again = await open();
  expect(again.get("a", 0)).toBe("one");
  again.close();
});

test("keeps them in memory, and says so, where no file can be written", async () => {
  const answers = await openAnswers(folder.at("no/such/folder"), 0, report);
  answers.put("a", "one", 1000);
  expect(answers.get("a", 0)).toBe("one");
  answers.close();
  expect(issues).toMatchObject([{ store: "answers", severity: "warn" }]);
});

test("breakers are kept in a file that is told about where it is damaged", async () => {
  const options = { folder: folder.path, now: () => new Date("2026-01-01T00:00:00Z"), report };
  const kept = {
    ...({ state: "open", failures: 5, lastError: { code: "source_unavailable", message: "no" } } as const),
    ...{ openedAt: "2026-01-01T00:00:00.000Z", nextProbeAt: "2026-01-01T00:00:30.000Z" },
  } as const;
  await (await openBreakers(options)).put({ shelf: kept });
  expect((await openBreakers(options)).get()).toEqual({ shelf: kept });
  const text = await readFile(folder.at("breakers.json"), "utf8");
  await writeFile(folder.at("breakers.json"), text.replace('"open"', '"ajar"'));
  expect((await openBreakers(options)).get()).toEqual({});
  expect(issues).toMatchObject([{ store: "breakers", code: "store_damaged" }]);
});
