import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { previewTree } from "../../src/cli/organize-preview.ts";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { contents } from "../organize/library.ts";

/* The commands as a user types them, without a running runner: each starts one for its work and ends it. */
const main = path.resolve(import.meta.dirname, "../../src/main.ts");
let dir: string;
let places: readonly string[];

beforeAll(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-cli-"));
  const { libraryPath } = await makeLibrary(dir);
  mkdirSync(path.join(dir, "books"));
  places = ["--library", path.join(dir, "books"), "--inbox", libraryPath, "--data", path.join(dir, "data")];
  await tomekeeper("scan");
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

async function tomekeeper(
  ...args: readonly string[]
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [
    main,
    ...args,
    ...(args[0] === "history" ? places.slice(4) : places),
  ]);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, err };
}

test("organize, its preview, verify and undo work one after the other, and say what they did", async () => {
  const preview = await tomekeeper("organize", "--preview");
  expect(preview).toMatchObject({ code: 0, out: expect.stringContaining("└── The Oz Omnibus.m4b") });
  expect(await contents(path.join(dir, "books"))).toEqual({});

  const organized = await tomekeeper("organize", "--strategy", "copy");
  expect(organized.code).toBe(0);
  expect(organized.out).toMatch(/^Organized \d+ books \(\d+ files, .*by copy\)/);
  const id = /tomekeeper undo (\S+)`/.exec(organized.out)?.[1] ?? "";

  const verified = await tomekeeper("verify", "--json");
  expect(JSON.parse(verified.out)).toMatchObject({
    state: "completed",
    summary: { rotten: 0, problem_count: 0 },
  });

  const undone = await tomekeeper("undo", id);
  expect(undone).toMatchObject({ code: 0, out: expect.stringMatching(/^Took back \d+ books/) });
  expect(await contents(path.join(dir, "books"))).toEqual({});

  const again = await tomekeeper("undo", id, "--json");
  expect(again.code).toBe(1);
  expect(JSON.parse(again.out)).toMatchObject({
    error: { code: "conflict", message: expect.stringContaining("undone already") },
  });
});

test("what is typed wrongly is told with exit code 2, and a history without a runner with 4", async () => {
  const wrong = await tomekeeper("organize", "--strategy", "teleport");
  expect(wrong).toMatchObject({ code: 2, err: expect.stringContaining("teleport") });
  const none = await tomekeeper("history");
  expect(none.code).toBe(4);
});

test("a preview is a tree that fits the terminal", () => {
  const move = (to: string) => ({ to, strategy: "auto", bytes: 2_000_000 });
  const text = previewTree(
    {
      moves: [
        move("books:/B/Title 10/a.mp3"),
        move("books:/B/Title 2/a.mp3"),
        move(`books:/A/${"long ".repeat(30)}/b.mp3`),
      ],
      move_count: 5,
      conflict_count: 1,
      skipped_count: 2,
      bytes_needed: 0,
      bytes_free: 9_000_000_000,
    },
    40,
  );
  const lines = text.split("\n");
  expect(lines.slice(0, 8)).toEqual([
    "books:",
    " ├── A/",
    ` │   └── ${"long ".repeat(7).slice(0, 30)}…`,
    " │       └── b.mp3  2.0 MB",
    " └── B/",
    "     ├── Title 2/",
    "     │   └── a.mp3  2.0 MB",
    "     └── Title 10/",
  ]);
  expect(text).toContain("… and 2 more file");
  expect(text).toContain("2 books left alone");
  expect(text).toContain("1 conflict:");
});
