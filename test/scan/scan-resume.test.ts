import { cp, rename } from "node:fs/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { ScanCatalogue } from "../../src/domain/catalogue.ts";
import type { ScanDeps } from "../../src/scan/scan-run.ts";
import type { ReadTracks } from "../../src/scan/scan-unit.ts";
import { type Walk, walk } from "../../src/scan/walk.ts";
import { makeScanBench, type ScanBench } from "../fixtures/scan.ts";

type Checkpoints = ScanDeps["checkpoints"];

const benches: ScanBench[] = [];

afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.dispose();
});

async function benchOf(files: Readonly<Record<string, string>>): Promise<ScanBench> {
  const bench = await makeScanBench(files);
  benches.push(bench);
  return bench;
}

const library = {
  "Ann/1.mp3": "ann",
  "Ann/One/01.mp3": "one 1",
  "Ann/One/bad.mp3": "damaged",
  "Ann/Two/CD1/01.mp3": "two 1",
  "Ann/Two/CD1/talk/x.mp3": "talk",
  "Ann/Two/CD2/01.mp3": "two 2",
  "Ann/Two/between/y.mp3": "between",
  "Bob/Part 1/CD 1/a.mp3": "part",
  "Bob/Part 1/CD 2/a.mp3": "parts",
  "Bob/Part 1/Extra/z.mp3": "extra",
  "CD1/a.mp3": "disc in the root",
  "Zoe/Last/a.mp3": "last",
  "loose.m4b": "loose",
};

/** What a scan says that does not depend on how often it was interrupted. */
const totals = { dirs: 16, files: 13, books: 10, problem_count: 1 };

/** The walk folder by folder; before the one with this number something happens. */
function walkUntil(number: number, happens: () => void): Walk {
  return async function* (options) {
    let count = 0;
    for await (const folders of walk(options)) {
      for (const folder of folders) {
        if (count++ === number) happens();
        yield [folder];
        // Lets what is under way settle, as it would while a real disk is asked.
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    }
  };
}

class Killed extends Error {}

function killAt(number: number): { readonly walk: Walk } {
  return {
    walk: walkUntil(number, () => {
      throw new Killed();
    }),
  };
}

const everyFolder = { checkpointInterval: 1 };

async function foldersOf(bench: ScanBench): Promise<number> {
  return (await bench.scan({ id: "count" })).dirs;
}

describe("a scan that was interrupted", () => {
  it("goes on after a shutdown at any folder, and ends as if it had not been", async () => {
    const whole = await benchOf(library);
    expect(await whole.scan()).toMatchObject({ ...totals, files_read: 13, added: 10 });
    const folders = await foldersOf(whole);
    for (let number = 1; number < folders; number++) {
      const bench = await benchOf(library);
      const controller = new AbortController();
      const stopping = walkUntil(number, () => controller.abort("shutdown"));
      const options = { id: "scan", settings: everyFolder };
      await expect(
        bench.scan({ ...options, deps: { walk: stopping }, signal: controller.signal }),
      ).rejects.toBe("shutdown");
      expect(bench.progress.at(-1)?.state).toBe("paused");
      const readBefore = new Set(bench.filesRead);
      const cursor = bench.store.checkpoints.load("scan")?.checkpoint.cursor ?? null;
      const summary = await bench.scan(options);
      expect(summary).toMatchObject({ ...totals, resumed_from: cursor });
      expect(bench.content()).toEqual(whole.content());
      // Only what was in flight may be read twice.
      expect(bench.filesRead.filter((file) => readBefore.has(file)).length).toBeLessThanOrEqual(4);
      if (cursor !== null)
        expect(bench.progress[0]).toMatchObject({ state: "resuming", resumedFrom: cursor });
    }
  });

  it("goes on after it was killed at any folder, and ends as if it had not been", async () => {
    const whole = await benchOf(library);
    await whole.scan();
    const folders = await foldersOf(whole);
    for (let number = 1; number < folders; number++) {
      const bench = await benchOf(library);
      const options = { id: "scan", settings: everyFolder };
      await expect(bench.scan({ ...options, deps: killAt(number) })).rejects.toThrow(Killed);
      expect(await bench.scan(options)).toMatchObject(totals);
      expect(bench.content()).toEqual(whole.content());
    }
  });

  it("sums up as if it had not been killed, after whichever commits and checkpoints it was", async () => {
    const whole = await benchOf(library);
    const undisturbed = await whole.scan();
    for (let first = 0; first < 12; first++) {
      const bench = await benchOf(library);
      const summary = await scanThroughKills(bench, first);
      expect(summary).toEqual({
        ...undisturbed,
        seconds: expect.any(Number),
        resumed_from: summary.resumed_from,
      });
      expect(bench.content()).toEqual(whole.content());
    }
  });

  it("counts no book that vanished before its cursor, after whichever commits and checkpoints it was killed", async () => {
    for (let first = 0; first < 8; first++) {
      const bench = await benchOf(library);
      await bench.scan();
      const options = { id: "scan", settings: everyFolder, force: true };
      await expect(bench.scan({ ...options, deps: killAt(12) })).rejects.toThrow(Killed);
      await bench.root.remove("Ann/One");
      expect(await scanThroughKills(bench, first, { force: true })).toMatchObject({
        books: 9,
        added: 0,
        changed: 0,
        missing: 1,
      });
    }
  });

  it("sums up the same, and reads nothing, when it runs again because nobody recorded that it had ended", async () => {
    const bench = await benchOf(library);
    const first = await bench.scan({ id: "scan" });
    const again = await bench.scan({ id: "scan" });
    expect(again).toEqual({
      ...first,
      seconds: expect.any(Number),
      resumed_from: again.resumed_from,
    });
    expect(again.resumed_from).toBe("Zoe/Last");
    expect(bench.filesRead).toEqual([]);
  });

  it("survives any number of kills with any checkpoint lost, while books come, go and move", async () => {
    const change = fc.constantFrom<readonly [string, (bench: ScanBench) => Promise<void>]>(
      ["removed", (bench) => bench.root.remove("Ann/One")],
      ["added before", (bench) => bench.root.write({ "Aaa/New/a.mp3": "new" })],
      ["added behind", (bench) => bench.root.write({ "Zzz/New/a.mp3": "newer" })],
      ["moved on", (bench) => rename(bench.root.at("Ann/Two"), bench.root.at("Zoe/Two"))],
      ["moved back", (bench) => rename(bench.root.at("Zoe/Last"), bench.root.at("Ann/Last"))],
      ["changed", (bench) => bench.root.write({ "Bob/Part 1/CD 2/a.mp3": "another part" })],
    );
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(change, { maxLength: 4, selector: ([name]) => name }),
        fc.array(fc.record({ folder: fc.nat(20), writes: fc.nat(24), saves: fc.nat(8) }), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.integer({ min: 1, max: 5 }),
        async (changes, kills, checkpointInterval) => {
          const bench = await makeScanBench(library);
          const undisturbed = await makeScanBench(library);
          const whole = await makeScanBench({});
          try {
            await bench.scan();
            await undisturbed.scan();
            const idsBefore = new Set(bench.books().map((book) => book.id));
            for (const [, apply] of changes) {
              await apply(bench);
              await apply(undisturbed);
            }
            for (const { folder, writes, saves } of kills) {
              const { catalogue, checkpoints } = dyingAfter(bench, writes);
              const readTracks = slowly(bench.readTracks);
              const deps = {
                ...killAt(folder),
                catalogue,
                checkpoints: losing(checkpoints, saves),
                readTracks,
                warn,
              };
              await bench
                .scan({ id: "scan", settings: { checkpointInterval }, deps })
                .catch((error: unknown) => expect(error).toBeInstanceOf(Killed));
            }
            const summary = await bench.scan({ id: "scan", settings: { checkpointInterval } });
            expect(summary).toEqual({
              ...(await undisturbed.scan()),
              files_read: expect.any(Number),
              seconds: expect.any(Number),
              resumed_from: summary.resumed_from,
            });
            // What a scan that was never interrupted makes of the same files, in an empty catalogue.
            await cp(bench.root.path, whole.root.path, { recursive: true });
            await whole.scan();
            const present = bench.content().filter((book) => !isMissing(book));
            expect(present).toEqual(whole.content());
            const isRemoved = changes.some(([name]) => name === "removed");
            const isAdded = changes.filter(([name]) => name.startsWith("added")).length;
            const after = bench.books();
            expect(after.filter((book) => book.state === "missing")).toHaveLength(isRemoved ? 1 : 0);
            expect(after.filter((book) => !idsBefore.has(book.id))).toHaveLength(isAdded);
          } finally {
            await bench.dispose();
            await undisturbed.dispose();
            await whole.dispose();
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  it("calls missing what vanished behind its back, and only that", async () => {
    const bench = await benchOf(library);
    await bench.scan();
    const options = { id: "scan", settings: everyFolder, force: true };
    await expect(bench.scan({ ...options, deps: killAt(12) })).rejects.toThrow(Killed);
    const cursor = bench.store.checkpoints.load("scan")?.checkpoint.cursor ?? "";
    expect(cursor > "Ann/One").toBe(true);
    await bench.root.remove("Ann/One");
    const summary = await bench.scan(options);
    expect(summary).toMatchObject({ missing: 1, books: 9, resumed_from: cursor });
    expect(
      bench
        .books()
        .filter((book) => book.state === "missing")
        .map((book) => book.path),
    ).toEqual(["Ann/One"]);
  });

  it("keeps what was done when it is cancelled", async () => {
    const bench = await benchOf(library);
    const controller = new AbortController();
    const stopping = walkUntil(9, () => controller.abort("cancel"));
    const options = {
      id: "scan",
      settings: everyFolder,
      signal: controller.signal,
      deps: { walk: stopping },
    };
    await expect(bench.scan(options)).rejects.toBe("cancel");
    expect(bench.books().length).toBeGreaterThan(0);
    expect(bench.progress.at(-1)?.state).toBe("idle");
    expect(await bench.scan({ id: "next" })).toMatchObject({ books: 10, resumed_from: null });
  });

  it("ends at once when it is stopped while files are being read", async () => {
    const bench = await benchOf(library);
    const controller = new AbortController();
    const readTracks = (_folder: string, _names: readonly string[], signal: AbortSignal): Promise<never> =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        setImmediate(() => controller.abort("shutdown"));
      });
    await expect(bench.scan({ id: "scan", signal: controller.signal, deps: { readTracks } })).rejects.toBe(
      "shutdown",
    );
    expect(await bench.scan({ id: "scan" })).toMatchObject({ books: 10 });
  });

  it("fails when its checkpoints cannot be saved", async () => {
    const bench = await benchOf(library);
    const full = new Error("no space left");
    const checkpoints: Checkpoints = {
      ...bound(bench.store.checkpoints),
      save: () => Promise.reject(full),
    };
    await expect(bench.scan({ settings: everyFolder, deps: { checkpoints, warn: () => {} } })).rejects.toBe(
      full,
    );
  });

  it("goes on within the one folder that it was asked for", async () => {
    const bench = await benchOf(library);
    const options = { id: "scan", path: "Ann", settings: everyFolder };
    await expect(bench.scan({ ...options, deps: killAt(5) })).rejects.toThrow(Killed);
    expect(await bench.scan(options)).toMatchObject({ dirs: 7, books: 5, resumed_from: expect.any(String) });
    expect(bench.books().every((book) => book.path.startsWith("Ann"))).toBe(true);
  });
});

/** Scans until a run ends: the first dies after so many commits and checkpoints, each later one after one more. */
async function scanThroughKills(
  bench: ScanBench,
  first: number,
  options: { readonly force?: boolean } = {},
): ReturnType<ScanBench["scan"]> {
  for (let writes = first; ; writes++) {
    const deps = { ...dyingAfter(bench, writes), readTracks: slowly(bench.readTracks), warn };
    try {
      return await bench.scan({ ...options, id: "scan", settings: everyFolder, deps });
    } catch (error) {
      expect(error).toBeInstanceOf(Killed);
    }
  }
}

/** A process that was killed warns of nothing. */
const warn = (): void => {};

/** So that files are still being read when the walk has ended. */
function slowly(readTracks: ReadTracks): ReadTracks {
  return async (...args) => {
    await new Promise((resolve) => setTimeout(resolve, 4));
    return await readTracks(...args);
  };
}

/** A process that dies after so many commits and checkpoints: whatever it would write then is not written. */
function dyingAfter({ store }: ScanBench, writes: number): Pick<ScanDeps, "catalogue" | "checkpoints"> {
  const catalogue = boundCatalogue(store.catalogue);
  const checkpoints = bound(store.checkpoints);
  let left = writes;
  const write = <T>(doIt: () => T): T => {
    if (left === 0) throw new Killed();
    left--;
    return doIt();
  };
  return {
    catalogue: {
      ...catalogue,
      commit: (...args) => write(() => catalogue.commit(...args)),
      scanEnded: (...args) => write(() => catalogue.scanEnded(...args)),
    },
    checkpoints: {
      ...checkpoints,
      save: async (...args) => await write(() => checkpoints.save(...args)),
    },
  };
}

function isMissing(book: unknown): boolean {
  return typeof book === "object" && book !== null && "state" in book && book.state === "missing";
}

function boundCatalogue(catalogue: ScanCatalogue): ScanCatalogue {
  return {
    unitsAfter: (...args) => catalogue.unitsAfter(...args),
    unitEntries: (...args) => catalogue.unitEntries(...args),
    unitBooks: (...args) => catalogue.unitBooks(...args),
    booksByFingerprint: (...args) => catalogue.booksByFingerprint(...args),
    originsOf: (...args) => catalogue.originsOf(...args),
    commit: (...args) => catalogue.commit(...args),
    flush: () => catalogue.flush(),
    committedBy: (...args) => catalogue.committedBy(...args),
    missingBy: (...args) => catalogue.missingBy(...args),
    scanEnded: (...args) => catalogue.scanEnded(...args),
  };
}

function bound(checkpoints: Checkpoints): Checkpoints {
  return {
    save: (checkpoint, problems) => checkpoints.save(checkpoint, problems),
    load: (id) => checkpoints.load(id),
  };
}

/** A store whose process dies after so many saves: later ones never reach it. */
function losing(checkpoints: Checkpoints, saves: number): Checkpoints {
  let left = saves;
  return {
    ...bound(checkpoints),
    save: async (checkpoint, problems) => {
      if (left-- > 0) await checkpoints.save(checkpoint, problems);
    },
  };
}
