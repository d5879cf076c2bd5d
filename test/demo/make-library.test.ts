import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { audioExtensions } from "../../src/demo/audio/make-audio.ts";
import { makeLibrary } from "../../src/demo/make-library.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-demo-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("makes some forty files of every format there is, a few megabytes in all", async () => {
  const made = await makeLibrary(dir);
  expect(made.formats).toEqual([...audioExtensions].sort());
  expect(made.fileCount).toBeGreaterThanOrEqual(38);
  expect(made.fileCount).toBeLessThanOrEqual(45);
  const onDisk = readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((name) =>
    made.formats.includes(path.extname(name).slice(1)),
  );
  expect(onDisk).toHaveLength(made.fileCount);
  const sizeBytes = onDisk.reduce((sum, name) => sum + statSync(path.join(dir, name)).size, 0);
  expect(sizeBytes).toBeLessThan(10_000_000);
});

test("makes a cover that is a whole PNG", async () => {
  const made = await makeLibrary(dir);
  const folder = path.join(made.libraryPath, "Arthur Conan Doyle/Sherlock Holmes/01 - A Study in Scarlet");
  const cover = readFileSync(path.join(folder, "cover.png"));
  expect(cover.subarray(1, 4).toString()).toBe("PNG");
  expect(cover.subarray(-8, -4).toString()).toBe("IEND");
});
