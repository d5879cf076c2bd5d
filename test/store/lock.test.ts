import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../../src/store/lock.ts";
import { makeTree, type Tree } from "../fixtures/tree.ts";

const now = new Date("2026-01-01T00:00:00.000Z");
let folder: Tree;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await makeTree();
  children = [];
});

afterEach(async () => {
  for (const child of children) await kill(child);
  await folder.dispose();
});

/** Another process that takes the lock and keeps it. */
async function holder(): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL("./lock-holder.ts", import.meta.url)), folder.path],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  children.push(child);
  await once(child.stdout, "data");
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

test("a second process is told who has the folder, and since when", async () => {
  const child = await holder();
  const refused = acquireLock(folder.path, now);
  await expect(refused).rejects.toMatchObject({
    code: "lock_held",
    details: { pid: child.pid, host: hostname() },
  });
  await expect(refused).rejects.toThrow(`in use by process ${child.pid}, since 20`);
});

test("a lock is free as soon as its process was killed", async () => {
  await kill(await holder());
  const lock = await acquireLock(folder.path, now);
  await lock.release();
});

test("the same process gets it only once at a time", async () => {
  const first = await acquireLock(folder.path, now);
  await expect(acquireLock(folder.path, now)).rejects.toMatchObject({ code: "lock_held" });
  await first.release();
  const second = await acquireLock(folder.path, now);
  await second.release();
  expect(await readdir(folder.path)).toEqual(["lock"]);
});

test("a holder on another machine is named with it", async () => {
  const child = await holder();
  await writeFile(
    folder.at("lock.json"),
    JSON.stringify({ pid: child.pid, host: "attic", since: now.toISOString() }),
  );
  await expect(acquireLock(folder.path, now)).rejects.toThrow(`process ${child.pid} on attic`);
});

test("a holder that left no readable name is still a holder", async () => {
  await holder();
  await writeFile(folder.at("lock.json"), "{");
  await expect(acquireLock(folder.path, now)).rejects.toThrow("in use by another process");
});
