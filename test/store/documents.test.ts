import {
  appendFile,
  copyFile,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DocumentKind, Fields } from "../../src/store/document-versions.ts";
import { type Documents, openDocuments } from "../../src/store/documents.ts";
import { encodeLine } from "../../src/store/lines.ts";
import type { StoreIssue } from "../../src/store/ports.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

interface Note {
  readonly text: string;
}

const notes: DocumentKind<Note> = {
  name: "notes",
  schemaVersion: 1,
  migrations: [],
  toFields: (note) => ({ text: note.text }),
  fromFields: (fields) => ({ text: textOf(fields) }),
};

function textOf(fields: unknown): string {
  if (typeof fields === "object" && fields !== null && "text" in fields && typeof fields.text === "string") {
    return fields.text;
  }
  throw new TypeError("no note");
}

let folder: Tree;
let issues: StoreIssue[];
let opened: Documents<Note>[];
let contents: Map<Documents<Note>, ReadonlyMap<string, string>>;

beforeEach(async () => {
  folder = await makeTree();
  issues = [];
  opened = [];
  contents = new Map();
});

afterEach(async () => {
  for (const documents of opened) await documents.close();
  await folder.dispose();
});

async function open(kind: DocumentKind<Note> = notes): Promise<Documents<Note>> {
  issues = [];
  const content = new Map<string, string>();
  const documents = await openDocuments({
    folder: folder.path,
    kind,
    now: () => new Date("2026-03-01T10:00:00.000Z"),
    report: (issue) => issues.push(issue),
    withdraw: (issue) => issues.splice(issues.indexOf(issue), 1),
    changed: (key, before, after) => {
      expect(content.get(key)).toBe(before?.text);
      if (after === null) content.delete(key);
      else content.set(key, after.text);
    },
  });
  contents.set(documents, content);
  opened.push(documents);
  return documents;
}

function put(documents: Documents<Note>, key: string, text: string): Promise<void> {
  return documents.write({ puts: new Map([[key, { text }]]) });
}

/** What its listener was told of, at loading and since. */
function contentOf(documents: Documents<Note>): Readonly<Record<string, string>> {
  return Object.fromEntries(contents.get(documents) ?? []);
}

/** Leaves a file with these notes as a clean stop does, or as a kill does. */
async function written(texts: Readonly<Record<string, string>>, { cleanly = true } = {}): Promise<void> {
  const documents = await open();
  for (const [key, text] of Object.entries(texts)) await put(documents, key, text);
  const killed = await readFile(folder.at("notes.db"));
  await documents.close();
  if (!cleanly) await writeFile(folder.at("notes.db"), killed);
}

describe("keeps", () => {
  test("what was put, replaced and removed", async () => {
    const documents = await open();
    await put(documents, "a", "1");
    await put(documents, "b", "1");
    await put(documents, "a", "2");
    await documents.write({ removes: ["b"] });
    await documents.close();
    expect(contentOf(await open())).toEqual({ a: "2" });
    expect(issues).toEqual([]);
  });

  test("characters that NeDB takes for the end of a line", async () => {
    const text = "one\u2028two\u2029three\u0085four\u000bfive\ud800six";
    await written({ a: text });
    expect(contentOf(await open())).toEqual({ a: text });
  });

  test("thousands of changes that come at the same time, the last of each key", async () => {
    const documents = await open();
    const writes: Promise<void>[] = [];
    for (let round = 0; round < 3; round++) {
      for (let key = 0; key < 2000; key++) writes.push(put(documents, `k${key}`, `${round}`));
    }
    await Promise.all(writes);
    await documents.close();
    const content = contentOf(await open());
    expect(Object.keys(content)).toHaveLength(2000);
    expect(new Set(Object.values(content))).toEqual(new Set(["2"]));
  });

  test("what was acknowledged when the process ends without closing", async () => {
    await written({ a: "1", b: "2" }, { cleanly: false });
    expect(contentOf(await open())).toEqual({ a: "1", b: "2" });
    expect(issues).toEqual([]);
  });

  test("the newest version where a crash left the one before it", async () => {
    await written({ a: "old" });
    const newer = { _id: "a#99", key: "a", version: 99, schemaVersion: 1, fields: { text: "new" } };
    await appendFile(folder.at("notes.db"), `${encodeLine(JSON.stringify(newer), 0)}\n`);
    const documents = await open();
    expect(contentOf(documents)).toEqual({ a: "new" });
    await documents.close();
    expect(contentOf(await open())).toEqual({ a: "new" });
    expect(await readFile(folder.at("notes.db"), "utf8")).not.toContain("old");
  });

  test("the file small, and everything in it, over many changes of few documents", async () => {
    const documents = await open();
    const text = "x".repeat(2000);
    let largestBytes = 0;
    for (let round = 0; round < 40; round++) {
      const puts = new Map(
        Array.from({ length: 50 }, (_, key) => [`k${key}`, { text: `${round} ${text}` }] as const),
      );
      await documents.write({ puts });
      largestBytes = Math.max(largestBytes, (await readFile(folder.at("notes.db"))).length);
    }
    expect(largestBytes).toBeLessThan(2 * 1024 * 1024);
    await documents.close();
    const content = contentOf(await open());
    expect(Object.keys(content)).toHaveLength(50);
    expect(Object.values(content).every((value) => value.startsWith("39 "))).toBe(true);
  });
});

test("shows a change only when it is durable", async () => {
  const documents = await open();
  const write = put(documents, "a", "1");
  expect(documents.get("a")).toBeNull();
  await write;
  expect(documents.get("a")).toEqual({ text: "1" });
});

describe("an unfinished write at the end of the file", () => {
  test("is cut off, a copy kept and a warning given, wherever it was torn", async () => {
    await written({ a: "1", b: "2", c: "3" }, { cleanly: false });
    const whole = await readFile(folder.at("notes.db"));
    const lineEnds = [...whole.entries()].filter(([, byte]) => byte === 0x0a).map(([at]) => at);
    const firstEnd = (lineEnds[0] ?? 0) + 1;
    for (let length = firstEnd; length <= whole.length; length += 5) {
      for (const name of await readdir(folder.path)) await rm(folder.at(name));
      await writeFile(folder.at("notes.db"), whole.subarray(0, length));
      const documents = await open();
      const lines = lineEnds.filter((end) => end <= length).length;
      // The first two lines are the seals that a new file is made with and that opening writes.
      const expected = Object.fromEntries(
        ["a", "b", "c"].slice(0, Math.max(0, lines - 2)).map((key, i) => [key, `${i + 1}`]),
      );
      expect(contentOf(documents)).toEqual(expected);
      expect(documents.readOnly).toBe(false);
      const isTorn = !lineEnds.includes(length) && whole[length - 1] !== 0x0a;
      expect(issues.map((issue) => [issue.severity, issue.code])).toEqual(
        isTorn ? [["warn", "store_damaged"]] : [],
      );
      const copies = (await readdir(folder.path)).filter((name) => name.includes("damaged"));
      expect(copies).toHaveLength(isTorn ? 1 : 0);
      for (const copy of copies) expect(await readFile(folder.at(copy))).toEqual(whole.subarray(0, length));
      await put(documents, "d", "after");
      await documents.close();
      expect(contentOf(await open())).toEqual({ ...expected, d: "after" });
    }
  });

  test("is cut off where the disk filled it with zeros", async () => {
    await written({ a: "1" }, { cleanly: false });
    await appendFile(folder.at("notes.db"), Buffer.alloc(5000));
    expect(contentOf(await open())).toEqual({ a: "1" });
    expect(issues.map((issue) => issue.severity)).toEqual(["warn"]);
  });

  test("gets a copy of its own each time", async () => {
    await written({ a: "1" });
    for (let time = 0; time < 2; time++) {
      await appendFile(folder.at("notes.db"), "torn");
      await (await open()).close();
    }
    const copies = (await readdir(folder.path)).filter((name) => name.includes("damaged"));
    expect(copies).toHaveLength(2);
  });
});

describe("a file without its first line", () => {
  test("is damaged, not a new store, whatever is left of it: nothing, for one", async () => {
    await written({ a: "1" }, { cleanly: false });
    const whole = await readFile(folder.at("notes.db"));
    const firstEnd = whole.indexOf(0x0a);
    for (let length = 0; length < firstEnd; length += 5) {
      const left = whole.subarray(0, length);
      await writeFile(folder.at("notes.db"), left);
      const documents = await open();
      expect(documents.readOnly).toBe(true);
      expect(issues).toMatchObject([{ store: "notes", severity: "fatal", code: "store_damaged" }]);
      expect(issues[0]?.remedy).toMatch(/backup/);
      await expect(put(documents, "b", "2")).rejects.toMatchObject({ code: "read_only" });
      await documents.close();
      expect(await readFile(folder.at("notes.db"))).toEqual(left);
    }
  });

  test("is found while the store is open", async () => {
    const documents = await open();
    await put(documents, "a", "1");
    await truncate(folder.at("notes.db"), 0);
    await expect(documents.verify()).rejects.toMatchObject({ code: "store_damaged" });
    await expect(documents.close()).rejects.toMatchObject({ code: "read_only" });
  });
});

test("a new file has its first line before it has its name", async () => {
  const looking = new AbortController();
  const seen: number[] = [];
  const look = async (): Promise<void> => {
    while (!looking.signal.aborted) {
      seen.push((await stat(folder.at("notes.db")).catch(() => ({ size: -1 }))).size);
    }
  };
  const looked = look();
  for (let round = 0; round < 20; round++) {
    await (await open()).close();
    await rm(folder.at("notes.db"));
  }
  looking.abort();
  await looked;
  expect(seen.filter((size) => size === 0)).toEqual([]);
  expect(seen.filter((size) => size > 0)).not.toEqual([]);
});

describe("damage inside the file", () => {
  test("makes the store read-only, leaves the file as it is and says what to do", async () => {
    await written({ a: "first", b: "second", c: "third" });
    const whole = await readFile(folder.at("notes.db"));
    whole[whole.indexOf("second")] = 0x53;
    await writeFile(folder.at("notes.db"), whole);
    const documents = await open();
    expect(documents.readOnly).toBe(true);
    expect(contentOf(documents)).toEqual({ a: "first", c: "third" });
    expect(issues).toMatchObject([{ store: "notes", severity: "fatal", code: "store_damaged" }]);
    expect(issues[0]?.remedy).toMatch(/backup/);
    await expect(put(documents, "d", "4")).rejects.toMatchObject({ code: "read_only" });
    await documents.close();
    expect(await readFile(folder.at("notes.db"))).toEqual(whole);
    expect(await readdir(folder.path)).toEqual(["notes.db"]);
  });

  test("is found in the last document too when the runner was stopped cleanly", async () => {
    await written({ a: "first", b: "second" });
    const whole = await readFile(folder.at("notes.db"));
    whole[whole.indexOf("second")] = 0x53;
    await writeFile(folder.at("notes.db"), whole);
    expect((await open()).readOnly).toBe(true);
  });

  test("is found while the store is open", async () => {
    const documents = await open();
    await put(documents, "a", "first");
    await put(documents, "b", "second");
    await expect(documents.verify()).resolves.toBeUndefined();
    const whole = await readFile(folder.at("notes.db"));
    whole[whole.indexOf("first")] = 0x46;
    await writeFile(folder.at("notes.db"), whole);
    await expect(documents.verify()).rejects.toMatchObject({ code: "store_damaged" });
  });

  test("is what a document is that another program wrote", async () => {
    await written({ a: "1" });
    await appendFile(folder.at("notes.db"), `${encodeLine('{"_id":"x","planet":"B612"}', 0)}\n`);
    const documents = await open();
    expect(documents.readOnly).toBe(true);
    expect(contentOf(documents)).toEqual({ a: "1" });
    expect(issues).toMatchObject([{ severity: "fatal", code: "store_damaged" }]);
  });

  test("is what a file is that cannot be read at all", async () => {
    await folder.write({ "notes.db/": "" });
    const documents = await open();
    expect(documents.readOnly).toBe(true);
    expect(issues).toMatchObject([{ severity: "fatal", code: "store_damaged" }]);
  });
});

describe("the copy of an interrupted rewriting", () => {
  test("is removed beside the file", async () => {
    await written({ a: "1" });
    await writeFile(folder.at("notes.db~"), "half a rewri");
    expect(contentOf(await open())).toEqual({ a: "1" });
    expect(await readdir(folder.path)).toEqual(["notes.db"]);
  });

  test("does not take the place of the file, of which it may be a part", async () => {
    await written({ a: "1" });
    await rename(folder.at("notes.db"), folder.at("notes.db~"));
    const documents = await open();
    expect(documents.readOnly).toBe(true);
    expect(issues).toMatchObject([{ severity: "fatal", code: "store_damaged" }]);
    expect(issues[0]?.message).toContain("notes.db~");
    expect(await readdir(folder.path)).toEqual(["notes.db~"]);
  });
});

describe("schema versions", () => {
  const shout = (fields: Fields): Fields => ({ ...fields, text: `${fields["text"]}!` });
  const thirdVersion: DocumentKind<Note> = { ...notes, schemaVersion: 3, migrations: [shout, shout] };

  test("an older one is migrated step by step and written back", async () => {
    await written({ a: "1", b: "2" });
    const documents = await open(thirdVersion);
    expect(contentOf(documents)).toEqual({ a: "1!!", b: "2!!" });
    await documents.close();
    expect(contentOf(await open(thirdVersion))).toEqual({ a: "1!!", b: "2!!" });
  });

  test("a newer one is left as it is, and the issue says which program is needed", async () => {
    await written({ a: "1" });
    await (await open(thirdVersion)).close();
    const before = await readFile(folder.at("notes.db"));
    const documents = await open(notes);
    expect(documents.readOnly).toBe(true);
    expect(issues).toMatchObject([{ severity: "fatal", code: "store_newer" }]);
    await documents.close();
    expect(await readFile(folder.at("notes.db"))).toEqual(before);
  });
});

describe("a write that fails", () => {
  test("makes the store read-only when the file was replaced under it, and acknowledges nothing", async () => {
    const documents = await open();
    await put(documents, "a", "1");
    await copyFile(folder.at("notes.db"), folder.at("other"));
    await rename(folder.at("other"), folder.at("notes.db"));
    await expect(put(documents, "b", "2")).rejects.toMatchObject({ code: "read_only" });
    expect(documents.readOnly).toBe(true);
    expect(contentOf(documents)).toEqual({ a: "1" });
    expect(issues).toMatchObject([{ severity: "fatal", code: "read_only" }]);
    await expect(put(documents, "c", "3")).rejects.toMatchObject({ code: "read_only" });
    expect(issues).toHaveLength(1);
  });

  test("rejects every change that was waiting", async () => {
    const documents = await open();
    await put(documents, "a", "1");
    await rm(folder.at("notes.db"));
    const results = await Promise.allSettled([put(documents, "b", "2"), put(documents, "c", "3")]);
    expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  });
});
