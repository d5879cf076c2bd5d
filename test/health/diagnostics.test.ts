import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Root } from "../../src/domain/book.ts";
import { reachBroker } from "../../src/health/broker.ts";
import { type DiagnosticInputs, rootState, runDiagnostics } from "../../src/health/diagnostics.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-health-"));
  mkdirSync(path.join(dir, "data"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function root(id: string, changes: Partial<Root> = {}): Root {
  return { id, path: path.join(dir, id), kind: "library", optional: false, watch: true, ...changes };
}

const help = readFileSync(path.resolve(import.meta.dirname, "../../docs/troubleshooting.md"), "utf8").split(
  "\n",
);

function madeRoot(id: string, changes: Partial<Root> = {}): Root {
  const made = root(id, changes);
  mkdirSync(made.path, { recursive: true });
  return made;
}

function inputs(changes: Partial<DiagnosticInputs> = {}): DiagnosticInputs {
  return {
    roots: [],
    knownBooks: {},
    watchedFolders: 0,
    dataDir: path.join(dir, "data"),
    lockProblem: null,
    storeFindings: [],
    rotten: { count: 0, first: [] },
    configWarnings: [],
    broker: { url: "mqtt://127.0.0.1:1883", reach: null },
    newestStoredAt: null,
    now: () => new Date("2026-12-01T00:00:00Z"),
    ...changes,
  };
}

async function check(name: string, changes: Partial<DiagnosticInputs>) {
  const { checks } = await runDiagnostics(inputs(changes));
  const named = checks.filter((candidate) => candidate.check === name);
  expect(named).toHaveLength(1);
  if (named[0]?.remedy !== null) expect(helpFor(name)).toContain(named[0]?.remedy.split(" ", 2).join(" "));
  return named[0];
}

/** What docs/troubleshooting.md says of a check; it has to say what the check itself says. */
function helpFor(check: string): string {
  const [kind = check] = check.split(":");
  return help.find((line) => line.startsWith(`| \`${kind}`)) ?? `nothing of ${kind}`;
}

test("each check is explained in docs/troubleshooting.md", async () => {
  const { checks } = await runDiagnostics(inputs({ roots: [madeRoot("books")] }));
  const names = [...checks.map(({ check: name }) => name), "root_watched:books"];
  expect(names.map(helpFor).filter((line) => line.startsWith("nothing"))).toEqual([]);
});

test("finds nothing wrong where nothing is, and leaves no file behind", async () => {
  const books = madeRoot("books");
  const { worst, checks } = await runDiagnostics(inputs({ roots: [books] }));
  expect(
    checks.filter(({ severity, check: name }) => severity !== "ok" && !name.startsWith("free_space")),
  ).toEqual([]);
  expect(worst === "ok" || worst === "warn").toBe(true);
  expect(checks.every(({ severity, remedy }) => (severity === "ok") === (remedy === null))).toBe(true);
  expect(readdirSync(books.path)).toEqual([]);
  expect(readdirSync(path.join(dir, "data"))).toEqual([]);
});

test("names every check of the list, in its order", async () => {
  const { checks } = await runDiagnostics(inputs({ roots: [madeRoot("books")] }));
  expect(checks.map((found) => found.check)).toEqual([
    "runtime",
    "config",
    "data_dir_writable",
    "lock",
    "free_space:data",
    "store_schema",
    "bit_rot",
    "roots_apart",
    "root_exists:books",
    "root_writable:books",
    "free_space:books",
    "broker",
    "inotify",
    "clock",
  ]);
});

describe("a root", () => {
  test("that is missing is fatal, is not made, and its writability is not tried", async () => {
    const roots = [root("books")];
    expect(await check("root_exists:books", { roots })).toMatchObject({
      severity: "fatal",
      message: `${path.join(dir, "books")} does not exist`,
      remedy: expect.stringContaining("mount its disk"),
    });
    expect(await check("root_writable:books", { roots })).toMatchObject({
      severity: "warn",
      message: expect.stringContaining("not tried"),
    });
    expect(readdirSync(dir)).toEqual(["data"]);
  });

  test("that is missing and optional is a warning", async () => {
    const diagnostics = await runDiagnostics(inputs({ roots: [root("books", { optional: true })] }));
    expect(diagnostics.worst).toBe("warn");
    const { remedy } = diagnostics.checks.find(({ check }) => check === "root_exists:books") ?? {};
    expect(remedy).toMatch(/looked for again/);
    expect(remedy).not.toContain("optional");
  });

  test("that is a file is fatal", async () => {
    writeFileSync(path.join(dir, "books"), "");
    expect(await check("root_exists:books", { roots: [root("books")] })).toMatchObject({
      severity: "fatal",
      message: expect.stringContaining("is not a folder"),
    });
  });

  test("that is empty though its books are known looks unmounted and is not written to", async () => {
    const roots = [madeRoot("books")];
    const knownBooks = { books: 3 };
    expect(await check("root_exists:books", { roots, knownBooks })).toMatchObject({
      severity: "fatal",
      message: expect.stringContaining("is empty, though 3 books in it are known"),
    });
    expect(await check("root_writable:books", { roots, knownBooks })).toMatchObject({ severity: "warn" });
    const optional = [root("books", { optional: true })];
    expect(await check("root_exists:books", { roots: optional, knownBooks })).toMatchObject({
      severity: "warn",
    });
    writeFileSync(path.join(dir, "books", "any"), "");
    expect(await check("root_exists:books", { roots, knownBooks })).toMatchObject({ severity: "ok" });
  });

  test("that is there can be used, one that is not can not", async () => {
    const roots = [madeRoot("books"), root("gone", { optional: true })];
    const diagnostics = await runDiagnostics(inputs({ roots }));
    expect(rootState(diagnostics, "books")).toEqual({ isOnline: true, isWritable: true });
    expect(rootState(diagnostics, "gone")).toEqual({ isOnline: false, isWritable: false });
    expect(rootState(diagnostics, "unknown")).toEqual({ isOnline: false, isWritable: false });
  });

  test("that a link leads into another is fatal and names both", async () => {
    const roots = [madeRoot("books"), root("again")];
    mkdirSync(path.join(dir, "books", "inner"));
    symlinkSync(path.join(dir, "books", "inner"), path.join(dir, "again"));
    expect(await check("roots_apart", { roots })).toMatchObject({
      severity: "fatal",
      message: expect.stringMatching(/root "again" .* leads into root "books"/),
    });
  });

  test.skipIf(process.getuid?.() === 0)("that the user may not write to is fatal (not as root)", async () => {
    const books = madeRoot("books");
    const { chmodSync } = await import("node:fs");
    chmodSync(books.path, 0o555);
    expect(await check("root_writable:books", { roots: [books] })).toMatchObject({ severity: "fatal" });
    chmodSync(books.path, 0o755);
  });

  test.skipIf(process.platform !== "linux")(
    "that nothing can be made in is fatal, optional a warning",
    async () => {
      // In /proc not even root makes a file.
      const roots = [root("books", { path: "/proc/self" })];
      expect(await check("root_writable:books", { roots })).toMatchObject({
        severity: "fatal",
        message: expect.stringContaining("/proc/self cannot be written to"),
      });
      const optional = [root("books", { path: "/proc/self", optional: true })];
      expect(await check("root_writable:books", { roots: optional })).toMatchObject({ severity: "warn" });
    },
  );
});

describe("the data folder", () => {
  test("that is not there yet can be made", async () => {
    const dataDir = path.join(dir, "a/b/c");
    expect(await check("data_dir_writable", { dataDir })).toMatchObject({ severity: "ok" });
    expect(readdirSync(dir)).toEqual(["data"]);
  });

  test.skipIf(process.platform !== "linux")("that cannot be written to is fatal", async () => {
    expect(await check("data_dir_writable", { dataDir: "/proc/self" })).toMatchObject({ severity: "fatal" });
    expect(await check("data_dir_writable", { dataDir: "/proc/self/none" })).toMatchObject({
      severity: "fatal",
    });
  });

  test("that another runner holds is fatal, with what the lock said", async () => {
    const lockProblem = "/data is in use by process 7";
    expect(await check("lock", { lockProblem })).toMatchObject({ severity: "fatal", message: lockProblem });
  });
});

test("a store that is damaged or newer keeps its own severity, message and remedy", async () => {
  const storeFindings = [
    { store: "catalogue", severity: "fatal", message: "is newer", remedy: "install it" },
    { store: "commands", severity: "warn", message: "was cut", remedy: "look" },
  ] as const;
  const { checks } = await runDiagnostics(inputs({ storeFindings }));
  expect(checks.filter((found) => found.check.startsWith("store_schema"))).toEqual([
    { check: "store_schema:catalogue", severity: "fatal", message: "is newer", remedy: "install it" },
    { check: "store_schema:commands", severity: "warn", message: "was cut", remedy: "look" },
  ]);
});

test("warnings of the configuration are told whole", async () => {
  expect(await check("config", { configWarnings: ["one", "two"] })).toMatchObject({
    severity: "warn",
    message: "one; two",
  });
});

describe("the clock", () => {
  test("before this program existed is a warning", async () => {
    const now = () => new Date("1970-01-01T00:00:10Z");
    expect(await check("clock", { now })).toMatchObject({ severity: "warn" });
  });

  test("before the newest record is a warning, a small difference is not", async () => {
    expect(await check("clock", { newestStoredAt: "2026-12-02T00:00:00Z" })).toMatchObject({
      severity: "warn",
    });
    expect(await check("clock", { newestStoredAt: "2026-12-01T00:04:00Z" })).toMatchObject({
      severity: "ok",
    });
  });
});

test.skipIf(process.platform !== "linux")(
  "more folders than inotify watches is a warning with a limit that is enough",
  async () => {
    expect(await check("inotify", { watchedFolders: 1_000_000_000 })).toMatchObject({
      severity: "warn",
      remedy: expect.stringContaining(`max_user_watches=${2 ** 31}`),
    });
  },
);

describe("the broker", () => {
  test("that cannot be reached is a warning without its login", async () => {
    const url = "mqtt://127.0.0.1:1";
    const login = { url, username: "me", password: "canary", ca: null };
    const found = await check("broker", { broker: { url, reach: () => reachBroker(login) } });
    expect(found).toMatchObject({ severity: "warn", message: expect.stringContaining("ECONNREFUSED") });
    expect(JSON.stringify(found)).not.toContain("canary");
  });

  test("that hangs up without a word is not reached", async () => {
    const server = createServer((socket) => socket.resume().end());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const login = { url: `mqtt://127.0.0.1:${port}`, username: null, password: null, ca: null };
    await expect(reachBroker(login)).rejects.toThrow(/closed the connection/);
    await new Promise((resolve) => server.close(resolve));
  });
});

test("a check that never ends is given up, at its worst severity, and the others are not kept waiting", async () => {
  const reach = () => new Promise<void>(() => {});
  const { checks } = await runDiagnostics(inputs({ broker: { url: "mqtt://x", reach } }), 50);
  expect(checks.find((found) => found.check === "broker")).toMatchObject({
    severity: "warn",
    message: "no answer within 0.05 s",
  });
  expect(checks.find((found) => found.check === "clock")).toMatchObject({ severity: "ok" });
});
