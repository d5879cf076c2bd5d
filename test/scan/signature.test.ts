import { describe, expect, it } from "vitest";
import type { ScanUnit } from "../../src/domain/scan.ts";
import { isSameFile, signatureOf, withProblemMark } from "../../src/scan/signature.ts";

const unit: ScanUnit = {
  path: "A",
  files: [
    { name: "01.mp3", sizeBytes: 10, mtimeMs: 1000.25 },
    { name: "02.mp3", sizeBytes: 20, mtimeMs: 2000 },
  ],
  hasOtherFolders: false,
};

function withFirst(change: Partial<ScanUnit["files"][number]>): ScanUnit {
  const [first, ...rest] = unit.files;
  if (first === undefined) throw new Error("the unit has files");
  return { ...unit, files: [{ ...first, ...change }, ...rest] };
}

describe("signature of a unit", () => {
  it("is the same for the same files, wherever the unit lies", () => {
    expect(signatureOf({ ...unit, path: "B/C" })).toBe(signatureOf(unit));
  });

  it.each([
    ["a name", withFirst({ name: "1.mp3" })],
    ["a size", withFirst({ sizeBytes: 11 })],
    ["an mtime, by a fraction of a millisecond", withFirst({ mtimeMs: 1000.5 })],
    ["the number of files", { ...unit, files: unit.files.slice(1) }],
    ["whether there are folders beside the files", { ...unit, hasOtherFolders: true }],
  ])("differs with %s", (_what, changed) => {
    expect(signatureOf(changed)).not.toBe(signatureOf(unit));
  });

  it("of a unit with problems is never the signature of what lies there", () => {
    expect(withProblemMark(signatureOf(unit))).not.toBe(signatureOf(unit));
  });
});

describe("a file", () => {
  it("is the same by size and mtime together", () => {
    const file = { name: "a", sizeBytes: 1, mtimeMs: 2 };
    expect(isSameFile(file, { ...file, name: "b" })).toBe(true);
    expect(isSameFile(file, { ...file, sizeBytes: 2 })).toBe(false);
    expect(isSameFile(file, { ...file, mtimeMs: 3 })).toBe(false);
  });
});
