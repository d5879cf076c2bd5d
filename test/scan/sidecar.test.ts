import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ScanUnit } from "../../src/domain/scan.ts";
import { sealSidecar } from "../../src/domain/seal.ts";
import { readSidecars } from "../../src/scan/sidecar.ts";

let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), "sidecars-"));
});

afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

async function write(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), content);
  }
}

/** The unit as a walk would see the folder. */
async function unitOf(folder: string): Promise<ScanUnit> {
  const absolute = path.join(root, folder);
  const names = (await readdir(absolute, { recursive: true })).sort();
  const files = [];
  for (const name of names) {
    const { size, mtimeMs } = await stat(path.join(absolute, name));
    files.push({ name, sizeBytes: size, mtimeMs });
  }
  return { path: folder, files, hasOtherFolders: false };
}

describe("readSidecars", () => {
  it("passes over what we wrote ourselves, until somebody changes it", async () => {
    const own = sealSidecar("json", '{\n  "title": "Ours"');
    const opf = sealSidecar("opf", "<package><metadata><dc:title>Ours</dc:title></metadata></package>\n");
    await write({
      "A/metadata.json": own,
      "A/metadata.opf": opf,
      "B/metadata.json": own.replace("Ours", "My"),
    });
    expect(await readSidecars(root, await unitOf("A"))).toEqual({
      sidecars: [],
      problems: [],
      own: ["metadata.json", "metadata.opf"],
    });
    const changed = await readSidecars(root, await unitOf("B"));
    expect(changed).toMatchObject({ own: [], sidecars: [{ fields: { title: "My" } }], problems: [] });
  });

  it("reads every kind, in the folder and in its discs, and nothing else", async () => {
    await write({
      "A/B/metadata.json": '{"title":"Json","chapters":[{"start":0,"end":1,"title":"One"}]}',
      "A/B/metadata.opf": "<package><metadata><dc:title>Opf</dc:title></metadata></package>",
      "A/B/book.NFO": "Title: Nfo",
      "A/B/desc.txt": "Text",
      "A/B/CD1/reader.txt": "Ann Lee",
      "A/B/other.json": '{"title":"Not ours"}',
      "A/B/notes.txt": "Title: Not ours",
      "A/B/empty.opf": "",
    });
    const { sidecars, problems } = await readSidecars(root, await unitOf("A/B"));
    expect(problems).toEqual([]);
    expect(sidecars).toEqual([
      { name: "CD1/reader.txt", source: "text", fields: { narrators: ["Ann Lee"] }, chapters: [] },
      { name: "book.NFO", source: "nfo", fields: { title: "Nfo" }, chapters: [] },
      { name: "desc.txt", source: "text", fields: { description: "Text" }, chapters: [] },
      {
        name: "metadata.json",
        source: "metadata_json",
        fields: { title: "Json" },
        chapters: [{ title: "One", startMs: 0, endMs: 1000 }],
      },
      { name: "metadata.opf", source: "opf", fields: { title: "Opf" }, chapters: [] },
    ]);
  });

  it("reads those of a root's own files", async () => {
    await write({ "Dune.opf": "<package><metadata><dc:title>Dune</dc:title></metadata></package>" });
    const { sidecars } = await readSidecars(root, await unitOf(""));
    expect(sidecars.map((sidecar) => sidecar.fields)).toEqual([{ title: "Dune" }]);
  });

  it("names the file that cannot be understood and what is wrong with it", async () => {
    await write({
      "A/broken.opf": "<package><metadata>",
      "A/metadata.json": "{oops",
      "A/typed.metadata.json": '{"title":1,"publisher":"Ace"}',
    });
    const { sidecars, problems } = await readSidecars(root, await unitOf("A"));
    expect(sidecars.map((sidecar) => sidecar.fields)).toEqual([{ publisher: "Ace" }]);
    expect(problems.map(({ path: at, code }) => [at, code])).toEqual([
      ["A/broken.opf", "unreadable_sidecar"],
      ["A/metadata.json", "unreadable_sidecar"],
      ["A/typed.metadata.json", "unreadable_sidecar"],
    ]);
    expect(problems[0]?.message).toMatch(/cut off/);
    expect(problems[1]?.message).toMatch(/JSON/);
    expect(problems[2]?.message).toMatch(/title/);
  });

  it("reads no file larger than 1 MiB, also where it grew since the walk", async () => {
    await write({ "A/desc.txt": "x".repeat(1024 * 1024 + 1), "A/reader.txt": "y".repeat(1024 * 1024) });
    const unit = await unitOf("A");
    const asWalked = { ...unit, files: unit.files.map((file) => ({ ...file, sizeBytes: 10 })) };
    const { sidecars, problems } = await readSidecars(root, asWalked);
    expect(problems).toEqual([
      {
        path: "A/desc.txt",
        code: "unreadable_sidecar",
        message: expect.stringMatching(/1048577 bytes.*1 MiB/),
      },
    ]);
    expect(sidecars.map((sidecar) => sidecar.name)).toEqual(["reader.txt"]);
  });

  it("reports a file that vanished, a folder of that name and a dangling link, and reads on", async () => {
    await write({ "A/desc.txt": "Text" });
    await mkdir(path.join(root, "A/x.opf"));
    await symlink("nowhere", path.join(root, "A/reader.txt"));
    const files = ["gone.nfo", "x.opf", "reader.txt", "desc.txt"].map((name) => ({
      name,
      sizeBytes: 1,
      mtimeMs: 1,
    }));
    const { sidecars, problems } = await readSidecars(root, { path: "A", files, hasOtherFolders: false });
    expect(sidecars.map((sidecar) => sidecar.name)).toEqual(["desc.txt"]);
    expect(problems.map(({ path: at, code }) => [at, code])).toEqual([
      ["A/gone.nfo", "vanished"],
      ["A/x.opf", "unreadable_sidecar"],
      ["A/reader.txt", "vanished"],
    ]);
  });

  it("does not wait for a pipe that took a sidecar's place", async () => {
    await mkdir(path.join(root, "A"));
    execFileSync("mkfifo", [path.join(root, "A/desc.txt")]);
    const files = [{ name: "desc.txt", sizeBytes: 1, mtimeMs: 1 }];
    const { problems } = await readSidecars(root, { path: "A", files, hasOtherFolders: false });
    expect(problems).toEqual([
      { path: "A/desc.txt", code: "unreadable_sidecar", message: expect.stringMatching(/no regular file/) },
    ]);
  });

  it.skipIf(process.getuid?.() === 0)("reports a file it may not read (not as root, who may)", async () => {
    await write({ "A/desc.txt": "Text" });
    await chmod(path.join(root, "A/desc.txt"), 0);
    const { problems } = await readSidecars(root, await unitOf("A"));
    expect(problems.map(({ code }) => code)).toEqual(["unreadable_sidecar"]);
  });

  it("reads hundreds beside loose books", async () => {
    await write(
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`${i}.reader.txt`, `Reader Number${i}`])),
    );
    const { sidecars, problems } = await readSidecars(root, await unitOf(""));
    expect([sidecars.length, problems.length]).toEqual([200, 0]);
  });
});
