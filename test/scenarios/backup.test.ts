import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeLibrary } from "../../src/demo/make-library.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

const main = path.resolve(import.meta.dirname, "../../src/main.ts");

let dir: string;
let library: string;
let runner: RunningRunner | null;

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-backup-"));
  library = (await makeLibrary(dir)).libraryPath;
  runner = null;
});
afterEach(async () => {
  await runner?.kill();
  rmSync(dir, { recursive: true });
});

const at = (name: string): string => path.join(dir, name);

async function start(data: string): Promise<RunningRunner> {
  return await startRunner(["--library", library, "--data", at(data), "--mqtt-port", "0"], {
    env: { TOMEKEEPER_SCAN__ON_STARTUP: "false" },
  });
}

async function command(...args: readonly string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args, "--json"], { cwd: dir });
  return JSON.parse(stdout);
}

/** The error that it ends with. */
function refused(...args: readonly string[]): Promise<string> {
  return command(...args).then(
    () => "it did not refuse",
    ({ stdout }) => JSON.parse(stdout).error.code,
  );
}

async function idsIn(running: RunningRunner): Promise<readonly string[]> {
  const [found] = await running.ask("query", { limit: 200 });
  return found?.data.items.map(({ id, title }: { id: string; title: string }) => `${id} ${title}`).sort();
}

test("a backup of a running runner is whole, and restores all that it knew", async () => {
  runner = await start("data");
  await runner.ask("scan");
  const [first] = (await runner.ask("query", { limit: 1 }))[0]?.data.items ?? [];
  await runner.ask("set", { book: first.id, fields: { title: "Mine" } });
  const known = await idsIn(runner);
  expect(known.length).toBeGreaterThan(10);
  const made = await command("backup", at("backup"), "--data", at("data"));
  expect(made).toMatchObject({ folder: at("backup"), files: expect.any(Number) });
  expect(await runner.state("queue", ({ state }: { state: string }) => state === "running")).toBeTruthy();
  expect(readdirSync(dir).filter((name) => name.startsWith("backup"))).toEqual(["backup"]);
  expect(await refused("backup", at("backup"), "--data", at("data"))).toBe("conflict");

  // It goes on, and loses everything.
  await runner.ask("set", { book: first.id, fields: { title: "Later" } });
  expect(await refused("restore", at("backup"), "--data", at("data"))).toBe("conflict");
  expect(await refused("restore", at("backup"), "--data", at("data"), "--force")).toBe("lock_held");
  await runner.kill();
  const restored = await command("restore", at("backup"), "--data", at("data"), "--force");
  expect(existsSync(path.join(restored.movedTo, "catalogue.db"))).toBe(true);
  runner = await start("data");
  expect(await idsIn(runner)).toEqual(known);
  const queue = await runner.state("queue", ({ state }: { state: string }) => state !== "stopped");
  expect(queue).toMatchObject({ state: "running" });
  expect((await runner.ask("scan")).at(-1)?.data.summary).toMatchObject({
    added: 0,
    changed: 0,
    files_read: 0,
  });
});

test("a backup without a runner needs none, and one that is damaged is not restored", async () => {
  runner = await start("data");
  await runner.ask("scan");
  await runner.stop();
  await command("backup", at("backup"), "--data", at("data"));
  const file = at("backup/catalogue.db");
  const bytes = readFileSync(file);
  bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  expect(await refused("restore", at("backup"), "--data", at("elsewhere"))).toBe("store_damaged");
  expect(existsSync(at("elsewhere"))).toBe(false);
  rmSync(at("backup/backup.json"));
  expect(await refused("restore", at("backup"), "--data", at("elsewhere"))).toBe("store_damaged");
});

test("what is damaged is not backed up as if it were whole", async () => {
  runner = await start("data");
  await runner.ask("scan");
  await runner.stop();
  cpSync(at("data"), at("copy"), { recursive: true });
  const bytes = readFileSync(at("copy/operations.db"));
  bytes[Math.floor(bytes.length / 3)] = (bytes[Math.floor(bytes.length / 3)] ?? 0) ^ 1;
  writeFileSync(at("copy/operations.db"), bytes);
  expect(await refused("backup", at("backup"), "--data", at("copy"))).toBe("store_damaged");
  expect(readdirSync(dir).filter((name) => name.startsWith("backup"))).toEqual([]);
});
