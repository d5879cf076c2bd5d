import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Operation } from "../../src/domain/operation.ts";
import { createVerifyRun } from "../../src/organize/verify.ts";
import { type CatalogueFile, openCatalogue } from "../../src/store/catalogue.ts";
import { draft, unit } from "../contracts/catalogue-store.ts";
import { operation } from "../contracts/operation-store.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

let folder: Tree;
let catalogue: CatalogueFile;
let now: number;

beforeEach(async () => {
  folder = await makeTree();
  now = Date.parse("2026-01-01T00:00:00.000Z");
  catalogue = openCatalogue(folder.at("catalogue.db"), () => new Date(now));
  for (const name of ["A", "B", "C"]) await place(name);
});
afterEach(async () => {
  await catalogue.close();
  await folder.dispose();
});

/** A file that was organized, as the catalogue records it. */
async function place(name: string): Promise<void> {
  await folder.write({ [`books/${name}/1.mp3`]: `sound of ${name}` });
  catalogue.commit("op", [
    unit(`inbox ${name}`, [{ id: null, draft: draft(`inbox ${name}`, { root: "inbox" }) }], "inbox"),
  ]);
  const { size, mtimeMs } = lstatSync(folder.at(`books/${name}/1.mp3`));
  const book = catalogue
    .query({ text: name, limit: 5, offset: 0 })
    .items.find(({ path }) => path === `inbox ${name}`);
  catalogue.relocate("op-2", [
    {
      bookId: book?.id ?? "",
      to: { rootId: "books", path: name, unitPath: name },
      files: [
        {
          from: { rootId: "inbox", path: `inbox ${name}/1.mp3` },
          to: { rootId: "books", path: `${name}/1.mp3` },
          sizeBytes: size,
          mtimeMs,
          sha256: createHash("sha256").update(`sound of ${name}`).digest("hex"),
        },
      ],
      sourceStays: false,
    },
  ]);
}

function verify(signal = new AbortController().signal, asked: Operation["input"] = {}) {
  const roots = [
    { id: "books", path: folder.at("books"), kind: "library", optional: false, watch: false } as const,
  ];
  const run = createVerifyRun({
    roots,
    catalogue,
    // Every look at the clock is a minute later: its position is saved behind every file.
    now: () => {
      now += 60_000;
      return new Date(now);
    },
    onProgress: ({ filesDone }) => seen.push(filesDone),
  });
  seen = [];
  return run(operation({ id: "verify-1", kind: "verify", input: asked }), { signal, report: () => {} });
}
let seen: number[] = [];

const recorded = () => catalogue.placedFiles({ rootId: "books", under: "", after: null, limit: 10 });

test("concludes nothing from a disk that is not there, or from the empty place where it is mounted", async () => {
  await rename(folder.at("books"), folder.at("away"));
  await expect(verify()).rejects.toMatchObject({ code: "root_unavailable", retryable: true });
  await mkdir(folder.at("books"));
  await expect(verify()).rejects.toMatchObject({ code: "root_unavailable" });
  expect(recorded()).toHaveLength(3);
  await rm(folder.at("books"), { recursive: true });
  await rename(folder.at("away"), folder.at("books"));
  expect(await verify()).toMatchObject({ files: 3, ok: 3, missing: 0 });
});

test("tells a file that is gone or was changed once, and then watches over it no more", async () => {
  await rm(folder.at("books/A/1.mp3"));
  await writeFile(folder.at("books/B/1.mp3"), "another cut of it");
  expect(await verify()).toMatchObject({ files: 3, ok: 1, missing: 1, changed: 1, problem_count: 2 });
  expect(recorded().map(({ path }) => path)).toEqual(["C/1.mp3"]);
  expect(await verify()).toMatchObject({ files: 1, ok: 1, problem_count: 0 });
});

test("goes on behind the last file under the same operation after the runner stopped", async () => {
  const controller = new AbortController();
  const stopping = verify(controller.signal);
  const stop = setInterval(() => {
    if (seen.length > 0) controller.abort("shutdown");
  }, 0);
  const outcome = await stopping.catch((reason: unknown) => reason);
  clearInterval(stop);
  if (outcome !== "shutdown") return expect(outcome).toMatchObject({ files: 3 });
  const before = seen.length;
  expect(await verify()).toMatchObject({ files: 3, ok: 3, resumed_from: expect.stringMatching(/^books:\//) });
  expect(seen.length).toBeLessThanOrEqual(3 - before + 1);
});

test("looks at one folder, or at some books, alone", async () => {
  expect(await verify(undefined, { root_id: "books", path: "B" })).toMatchObject({ files: 1 });
  const [{ bookId } = { bookId: "" }] = recorded();
  expect(await verify(undefined, { books: [bookId] })).toMatchObject({ files: 1, ok: 1 });
});
