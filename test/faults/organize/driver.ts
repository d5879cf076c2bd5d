import "../../../src/process-shape.ts";
import { accessSync } from "node:fs";
import path from "node:path";
import type { Operation } from "../../../src/domain/operation.ts";
import type { Strategy } from "../../../src/domain/organize.ts";
import { untroubled } from "../../fixtures/operation.ts";

/*
 * One step of organizing on a folder with `inbox`, `library` and `data`, in a process that may be killed or cut off in
 * the middle (see fault.c). Says on standard output, as JSON, how it came out: what stands there was acknowledged.
 *
 *   driver.ts FOLDER organize STRATEGY | pause STRATEGY | go-on STRATEGY | recover | undo | look
 *
 * `pause`: parks the batch after its first file, and then goes on with it; `go-on`: what a start does with it.
 */
const { configOf } = await import("../../../src/cli/sources.ts");
const { openStore } = await import("../../../src/store/open.ts");
const { createOrganizing } = await import("../../../src/app/organizing.ts");
const { liveSettings } = await import("../../../src/app/live-settings.ts");
const { readPicture } = await import("../../../src/scan/read-picture.ts");
const { toErrorRecord } = await import("../../../src/errors.ts");

const [folder = "", step = "", strategy = "auto"] = process.argv.slice(2);

const { config } = configOf(
  {
    library: [path.join(folder, "library")],
    inbox: [path.join(folder, "inbox")],
    data: path.join(folder, "data"),
    json: true,
  },
  {
    env: { TOMEKEEPER_ORGANIZE__CONCURRENCY: "1", TOMEKEEPER_WRITE_OUT__COVER: "true" },
    cwd: "/",
    home: "/",
  },
);

function signal(name: "arm" | "disarm"): void {
  try {
    accessSync(`/tomekeeper-faults/${name}`);
  } catch {
    // Without the library that counts nobody listens.
  }
}

function operation(id: string, input: Operation["input"]): Operation {
  const [kind, createdAt] = ["organize", "2026-01-01T00:00:00.000Z"] as const;
  const shared = {
    kind,
    createdAt,
    input,
    priority: "normal",
    scopes: ["library:/"],
    transaction: null,
  } as const;
  const run = { state: "running", percent: null, attempts: 1, startedAt: null, finishedAt: null } as const;
  return { id, ...shared, ...run, error: null, ...untroubled, summary: null };
}

if (step === "recover") signal("arm");
const issues: unknown[] = [];
const store = await openStore({
  dataDir: config.data_dir,
  now: () => new Date(),
  onIssue: (issue) => issues.push(issue),
});
store.catalogue.configureRoots(config.roots);
const warnings: string[] = [];
const log = { ...console, warn: (message: string) => warnings.push(message), setLevel: () => {} };
const pausing = new AbortController();
const organizing = createOrganizing({
  config,
  live: () => liveSettings(config, store.settings.get()),
  goesOn: () => true,
  readPicture: async (file) => readPicture(file),
  store,
  log: log as never,
  onProgress: ({ filesDone }) => {
    if (filesDone > 0) pausing.abort("pause");
  },
  onBooks: () => {},
});
const context = { signal: new AbortController().signal, report: () => {} };

async function outcome(work: () => Promise<unknown>): Promise<object> {
  try {
    return { ok: true, result: await work() };
  } catch (error) {
    return { ok: false, error: toErrorRecord(error) };
  }
}

function books(): readonly unknown[] {
  return config.roots.flatMap(({ id }) =>
    store.catalogue.booksOfRoot(id, null, 1000).map((bookId) => {
      const book = store.catalogue.book(bookId);
      const tracks = book?.tracks.map((track) => `${book.rootId}/${track.path}`);
      const companions = book?.companions.map((companion) => `${book.rootId}/${companion.path}`);
      return { id: bookId, root: book?.rootId, path: book?.path, tracks, companions };
    }),
  );
}

async function run(): Promise<object> {
  switch (step) {
    case "organize": {
      const asked = { books: null, query: null, strategy: strategy as Strategy };
      signal("arm");
      return await outcome(() => organizing.runs.organize(operation("batch-1", asked), context));
    }
    case "pause": {
      const batch = operation("batch-1", { books: null, query: null, strategy: strategy as Strategy });
      signal("arm");
      const parked = await outcome(() =>
        organizing.runs.organize(batch, { ...context, signal: pausing.signal }),
      );
      return { parked, ...(await outcome(() => organizing.runs.organize(batch, context))) };
    }
    case "go-on": {
      const batch = operation("batch-1", { books: null, query: null, strategy: strategy as Strategy });
      await organizing.recover();
      return await outcome(() => organizing.runs.organize(batch, context));
    }
    case "undo":
      signal("arm");
      return await outcome(() =>
        organizing.runs.undo(operation("undo-1", { batch: "batch-1", partial: false }), context),
      );
    case "recover":
      return { ok: true, unrecovered: await organizing.recover() };
    default:
      return { ok: true };
  }
}

const result = await run();
const shown = { ...result, books: books(), batches: store.journals.batches(), warnings, issues };
process.stdout.write(`${JSON.stringify(shown)}\n`);
signal("disarm");
await store.close().catch(() => {
  // What was acknowledged was said before.
});
