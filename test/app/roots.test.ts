import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveFolder, scopeOf } from "../../src/app/roots.ts";
import type { Root } from "../../src/domain/book.ts";

let dir: string;
let roots: readonly Root[];

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-roots-"));
  mkdirSync(path.join(dir, "books/Author/Title"), { recursive: true });
  mkdirSync(path.join(dir, "elsewhere"));
  writeFileSync(path.join(dir, "books/Author/Title/01.mp3"), "");
  roots = [rootAt("books")];
});
afterEach(() => rmSync(dir, { recursive: true }));

function rootAt(id: string): Root {
  return { id, path: path.join(dir, id), kind: "library", optional: false, watch: false };
}

test("finds a folder of the only root, and a file's folder", async () => {
  expect((await resolveFolder(roots, undefined, "Author/Title")).path).toBe("Author/Title");
  expect((await resolveFolder(roots, "books", "Author/Title/01.mp3")).path).toBe("Author/Title");
  expect(scopeOf(await resolveFolder(roots, "books", "Author"))).toBe("books:/Author");
  expect(scopeOf(await resolveFolder(roots, "books", undefined))).toBe("books:/");
});

test("takes the absolute path of a folder inside the root", async () => {
  expect((await resolveFolder(roots, "books", path.join(dir, "books/Author"))).path).toBe("Author");
});

test.each(["../elsewhere", "..", "Author/../../elsewhere", "/etc"])(
  "refuses %s as outside the root",
  async (asked) => {
    await expect(resolveFolder(roots, "books", asked)).rejects.toMatchObject({ code: "outside_root" });
  },
);

test("refuses a link that leads out of the root, and follows one that stays inside", async () => {
  symlinkSync(path.join(dir, "elsewhere"), path.join(dir, "books/out"));
  symlinkSync("Author", path.join(dir, "books/in"));
  await expect(resolveFolder(roots, "books", "out")).rejects.toMatchObject({ code: "outside_root" });
  expect((await resolveFolder(roots, "books", "in/Title")).path).toBe("Author/Title");
});

test("accepts a root that is itself reached through a link", async () => {
  symlinkSync(path.join(dir, "books"), path.join(dir, "linked"));
  expect((await resolveFolder([rootAt("linked")], "linked", "Author")).path).toBe("Author");
});

test("says what is missing: an unknown root, a folder that is not there, a root to choose", async () => {
  await expect(resolveFolder(roots, "musik", undefined)).rejects.toMatchObject({ code: "not_found" });
  await expect(resolveFolder(roots, "books", "Nobody")).rejects.toMatchObject({ code: "not_found" });
  await expect(resolveFolder(roots, "books", "a\0b")).rejects.toMatchObject({ code: "invalid_payload" });
  mkdirSync(path.join(dir, "inbox"));
  await expect(resolveFolder([...roots, rootAt("inbox")], undefined, "Author")).rejects.toMatchObject({
    code: "invalid_payload",
  });
});
