import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BatchBegun, JournalRecord } from "../../src/domain/journal.ts";
import { readJournal } from "../../src/store/journal-file.ts";
import { openJournals } from "../../src/store/journals.ts";
import type { StoreIssue } from "../../src/store/ports.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let issues: StoreIssue[];

beforeEach(async () => {
  folder = await makeTree();
  issues = [];
});
afterEach(() => folder.dispose());

function open() {
  return openJournals({
    folder: folder.path,
    now: () => new Date("2026-01-02T00:00:00.000Z"),
    report: (issue) => issues.push(issue),
    withdraw: () => {},
  });
}

const begun = (operationId = "batch-1"): BatchBegun => ({
  type: "begun",
  schemaVersion: 1,
  operationId,
  kind: "organize",
  undoes: null,
  roots: [{ id: "books", path: "/books", ino: "2", kind: "library" }],
  at: "2026-01-01T00:00:00.000Z",
  planned: { conflict_count: 0 },
});

const place = (name: string) => ({ rootId: "books", path: `Ærø’s “Tale”\u2028/${name}` });
const identity = { dev: "1", ino: "18446744073709551615", birthtimeNs: "1700000000123456789" };
const facts = { identity, sizeBytes: 5, mtimeNs: "1700000000000000001", mode: 0o644 };

const planned = (n: number): JournalRecord => ({
  type: "planned",
  n,
  bookId: "book",
  role: "track",
  place: {
    source: place(`source ${n}`),
    facts,
    sha256: "0".repeat(64),
    destination: place(`destination ${n}`),
    strategy: "auto",
    temporaryName: `.tomekeeper-${n}.part`,
  },
  removes: [{ file: place(`source ${n}`), facts, how: "discard" }],
  relocates: { from: place("a"), to: place("b"), there: null },
});
const done = (n: number): JournalRecord => ({ type: "done", n, method: "copy", facts, sha256: null });
const committed: JournalRecord = { type: "committed", at: "2026-01-01T00:00:01.000Z" };
const ended: JournalRecord = {
  type: "ended",
  at: "2026-01-01T00:00:02.000Z",
  kept: [],
  trashed: [{ n: 0, file: place("x"), trash: place("y") }],
  folders: [{ folder: place(""), mtimeNs: "1" }],
};

/** A journal with everything in it, written as the program writes it; still open. */
async function writeOpen(): Promise<string> {
  const journals = await open();
  const journal = await journals.begin(begun(), []);
  await Promise.all([journal.append(planned(0)), journal.append(planned(1))]);
  await journal.append(done(0), done(1));
  await journal.append(committed);
  await journal.close();
  await journals.close();
  return path.join(folder.path, "journals/batch-1.journal");
}

async function writeEnded(): Promise<string> {
  const file = await writeOpen();
  const journals = await open();
  const journal = await journals.resume("batch-1");
  await journal?.append(ended);
  await journal?.close();
  const batch = journals.batch("batch-1");
  if (journal === null || batch === null) throw new Error("the batch is gone");
  const finishedAt = "2026-01-01T00:00:02.000Z";
  await journals.put({ ...batch, state: "ended", finishedAt, journalBytes: journal.sizeBytes });
  await journals.close();
  return file;
}

describe("a journal", () => {
  test("reads back what was written, in its order, over restarts", async () => {
    await writeEnded();
    const journals = await open();
    const records = [begun(), planned(0), planned(1), done(0), done(1), committed, ended];
    expect(await journals.read("batch-1")).toEqual(records);
    expect(journals.batches().map(({ operationId, state }) => [operationId, state])).toEqual([
      ["batch-1", "ended"],
    ]);
    expect(issues).toEqual([]);
    await journals.close();
  });

  test("goes on behind the last record after a restart", async () => {
    await writeOpen();
    const journals = await open();
    const journal = await journals.resume("batch-1");
    expect(journal?.records).toEqual([begun(), planned(0), planned(1), done(0), done(1), committed]);
    await journal?.close();
    await journals.close();
    expect(issues).toEqual([]);
  });

  test("knows its length when it is opened again, also behind an end that was torn", async () => {
    const file = await writeOpen();
    for (const torn of [0, 10]) {
      await truncate(file, (await readFile(file)).length - torn);
      const journals = await open();
      const journal = await journals.resume("batch-1");
      await journal?.close();
      const content = await readFile(file);
      expect(journal?.sizeBytes).toBe(content.length);
      expect(readJournal(content)).toMatchObject({ damage: null });
      await journals.close();
    }
  });

  test("of a batch that was rolled back gives way to the next try of its operation, any other does not", async () => {
    await writeOpen();
    const journals = await open();
    await expect(journals.begin(begun(), [])).rejects.toMatchObject({ code: "conflict" });
    const batch = journals.batch("batch-1");
    if (batch === null) throw new Error("the batch is gone");
    await journals.put({ ...batch, state: "rolled_back" });
    const journal = await journals.begin(begun(), [planned(7)]);
    expect(journal.records).toEqual([begun(), planned(7)]);
    await journal.close();
    await journals.close();
  });

  test("that never came to be is no batch", async () => {
    const file = await writeOpen();
    await rm(file);
    const journals = await open();
    expect(await journals.resume("batch-1")).toBeNull();
    expect(issues).toEqual([]);
    await journals.close();
  });

  test("is removed with its entry", async () => {
    await writeEnded();
    const journals = await open();
    await journals.remove("batch-1");
    expect(journals.batches()).toEqual([]);
    await expect(journals.read("batch-1")).rejects.toMatchObject({ code: "not_found" });
    await journals.close();
    expect(await readdir(path.join(folder.path, "journals"))).toEqual([]);
  });

  test("does not name a file elsewhere", async () => {
    const journals = await open();
    await expect(journals.resume("../batches")).rejects.toMatchObject({ code: "not_found" });
    await journals.close();
  });

  test("makes the index again where it is lost", async () => {
    await writeEnded();
    await rm(folder.at("batches.db"));
    const journals = await open();
    expect(journals.batch("batch-1")).toMatchObject({ state: "ended", files: 2, bytes: 10, hasTrash: true });
    expect(await journals.read("batch-1")).toHaveLength(7);
    await journals.close();
  });
});

describe("a damaged journal", () => {
  test("is seen at a cut behind every byte, open or ended", async () => {
    const file = await writeOpen();
    const whole = await readFile(file);
    for (let length = 0; length < whole.length; length++) {
      const reading = readJournal(whole.subarray(0, length));
      expect(reading.damage, `cut behind byte ${length}`).not.toBeNull();
      // What is left of it is a beginning of what was written, never something else.
      const texts = reading.records.map((record) => JSON.stringify(record));
      const written = readJournal(whole).records.map((record) => JSON.stringify(record));
      expect(texts).toEqual(written.slice(0, texts.length));
    }
  });

  test("is seen at every flipped bit", async () => {
    const file = await writeOpen();
    const whole = await readFile(file);
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(readJournal(flipped).damage, `bit ${bit}`).not.toBeNull();
    }
  });

  test("stops the start where it is open and damaged in what was acknowledged, and stays as it is", async () => {
    const file = await writeOpen();
    const content = await readFile(file);
    content.writeUInt8(content.readUInt8(30) ^ 1, 30);
    await writeFile(file, content);
    const journals = await open();
    expect(issues).toMatchObject([{ store: "journals", severity: "fatal", code: "store_damaged" }]);
    expect(issues[0]?.message).toContain(file);
    await expect(journals.resume("batch-1")).rejects.toMatchObject({ code: "store_damaged" });
    await journals.close();
    expect(await readFile(file)).toEqual(content);
  });

  test("loses the unfinished write at its end alone, and a copy is kept", async () => {
    const file = await writeOpen();
    const { length } = await readFile(file);
    await truncate(file, length - 50);
    const journals = await open();
    expect(issues).toMatchObject([{ store: "journals", severity: "warn" }]);
    const journal = await journals.resume("batch-1");
    expect(journal?.records).toEqual([begun(), planned(0), planned(1), done(0), done(1)]);
    await journal?.append(committed);
    await journal?.close();
    await journals.close();
    issues = [];
    const again = await open();
    expect(issues).toEqual([]);
    expect((await again.resume("batch-1"))?.records).toHaveLength(6);
    await again.close();
    const names = await readdir(path.dirname(file));
    expect(names.filter((name) => name.includes(".damaged-"))).toHaveLength(1);
  });

  test.each([
    ["cut", async (file: string) => truncate(file, 200)],
    ["longer than it was", async (file: string) => writeFile(file, "more\n", { flag: "a" })],
    ["away", async (file: string) => rm(file)],
  ])("of an ended batch that is %s is told at the start and refuses its undo", async (_, damage) => {
    const file = await writeEnded();
    await damage(file);
    const journals = await open();
    expect(issues).toMatchObject([{ store: "journals", severity: "warn", code: "store_damaged" }]);
    await expect(journals.read("batch-1")).rejects.toThrow();
    await journals.close();
  });
});
