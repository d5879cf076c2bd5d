import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Operation } from "../../src/domain/operation.ts";
import { openCheckpoints } from "../../src/store/checkpoints.ts";
import { openOperations } from "../../src/store/operations.ts";
import type { StoreIssue } from "../../src/store/ports.ts";
import { checkpoint, problem } from "../contracts/checkpoint-store.ts";
import { operation } from "../contracts/operation-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let issues: StoreIssue[];

beforeEach(async () => {
  folder = await makeTree();
  issues = [];
});

afterEach(() => folder.dispose());

const options = () => ({
  folder: folder.path,
  now: () => new Date("2026-01-02T00:00:00.000Z"),
  report: (issue: StoreIssue) => issues.push(issue),
  withdraw: () => {},
});

/** Operations in all states, some of them changed; and the file as a clean stop and as a kill leave it. */
async function writtenOperations(count: number) {
  const store = await openOperations(options());
  const last: Operation[] = [];
  for (let index = 0; index < count; index++) {
    const first = operation({ input: { index, text: "é\u2028" }, createdAt: new Date(index).toISOString() });
    await store.put(first);
    if (index % 3 === 0) await store.put({ ...first, state: "running" });
    last.push({ ...first, state: index % 3 === 0 ? "running" : first.state });
  }
  const killed = await readFile(folder.at("operations.db"));
  await store.close();
  return { last, killed, closed: await readFile(folder.at("operations.db")) };
}

async function place(name: string, content: Uint8Array): Promise<void> {
  for (const each of await readdir(folder.path)) await rm(folder.at(each));
  await writeFile(folder.at(name), content);
  issues = [];
}

function flipped(content: Buffer, bit: number): Buffer {
  const copy = Buffer.from(content);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

/** A different bit each time, spread over the whole of it. */
function bitsOf(content: Buffer, count: number): readonly number[] {
  const bits = content.length * 8;
  const first = Math.floor(Math.random() * bits);
  return Array.from({ length: count }, (_, index) => Math.floor(first + (index * bits) / count) % bits);
}

describe("a single flipped bit", () => {
  test("is found wherever it is in the operations, and no operation is silently another one: 7,000 flips", async () => {
    const { last, closed, killed } = await writtenOperations(40);
    const known = new Map(last.map((each) => [each.id, each]));
    for (const [content, flips] of [
      [closed, 6000],
      [killed, 1000],
    ] as const) {
      for (const bit of bitsOf(content, flips)) {
        await place("operations.db", flipped(content, bit));
        const store = await openOperations(options());
        expect(issues, `bit ${bit}`).not.toEqual([]);
        if (!store.readOnly) {
          // Cut off at the end: of a file that was closed nothing but the seal can be.
          const copies = (await readdir(folder.path)).filter((name) => name.includes(".damaged-"));
          expect(copies, `bit ${bit}`).toHaveLength(1);
          if (content === closed)
            expect(store.list({ limit: 100, offset: 0 }).total, `bit ${bit}`).toBe(last.length);
        }
        for (const found of store.list({ limit: 100, offset: 0 }).items) {
          if (issues.some(({ severity }) => severity === "fatal")) continue;
          const isKnown = isDeepStrictEqual(found, known.get(found.id));
          expect(isKnown || content === killed, `bit ${bit}`).toBe(true);
        }
        await store.close();
      }
    }
  });

  test("is found wherever it is in the checkpoints: 3,000 flips", async () => {
    const written = await openCheckpoints(options());
    for (let save = 0; save < 30; save++) {
      await written.save(checkpoint({ cursor: `Author/${save}` }), [problem(save)]);
    }
    await written.close();
    const content = await readFile(folder.at("checkpoints.db"));
    const expected = { cursor: "Author/29", problems: 30 };
    for (const bit of bitsOf(content, 3000)) {
      await place("checkpoints.db", flipped(content, bit));
      const store = await openCheckpoints(options());
      expect(issues, `bit ${bit}`).not.toEqual([]);
      const loaded = store.load("op-1");
      const found = { cursor: loaded?.checkpoint.cursor, problems: loaded?.problems.length };
      if (!store.readOnly) expect(found, `bit ${bit}`).toEqual(expected);
      await store.close();
    }
  });
});

test("a file torn at any byte gives every operation whose line is whole, and takes new ones", async () => {
  const { last, killed } = await writtenOperations(8);
  const ends = [...killed.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at);
  const firstEnd = (ends[0] ?? 0) + 1;
  for (let length = firstEnd; length < killed.length; length++) {
    await place("operations.db", killed.subarray(0, length));
    const store = await openOperations(options());
    expect(store.readOnly, `${length} bytes`).toBe(false);
    const isWhole = ends.includes(length) || ends.includes(length - 1);
    expect(
      issues.map(({ severity }) => severity),
      `${length} bytes`,
    ).toEqual(isWhole ? [] : ["warn"]);
    const text = killed.subarray(0, length).toString("latin1");
    for (const { id } of last) {
      const isThere = ends.some((end) => end <= length && text.lastIndexOf(`"_id":"${id}#`, end) !== -1);
      expect(store.get(id) !== null, `${length} bytes: ${id}`).toBe(isThere);
    }
    const after = operation();
    await store.put(after);
    expect(store.get(after.id)).toEqual(after);
    await store.close();
  }
});
