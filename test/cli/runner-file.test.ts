import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readRunnerFile, removeRunnerFile, writeRunnerFile } from "../../src/runner-file.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-runner-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const runner = {
  url: "mqtt://127.0.0.1:1883",
  node: "main",
  pid: process.pid,
  boot_id: "boot",
  config_file: null,
};

test("is found again, is readable by its owner only, and leaves nothing beside it", () => {
  writeRunnerFile(dir, runner);
  expect(readRunnerFile(dir)).toEqual({ ...runner, host: os.hostname() });
  expect(statSync(path.join(dir, "runner.json")).mode & 0o777).toBe(0o600);
  expect(readdirSync(dir)).toEqual(["runner.json"]);
});

test("of a process that is gone counts as none", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  writeRunnerFile(dir, { ...runner, pid: child.pid ?? 0 });
  expect(readRunnerFile(dir)).toBeNull();
});

test("of another container is believed, since its process ids are its own", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  writeRunnerFile(dir, { ...runner, pid: child.pid ?? 0 });
  const file = path.join(dir, "runner.json");
  writeFileSync(file, readFileSync(file, "utf8").replace(os.hostname(), "elsewhere.invalid"));
  expect(readRunnerFile(dir)?.node).toBe("main");
});

test("is removed by the runner that wrote it and by no other", () => {
  writeRunnerFile(dir, runner);
  removeRunnerFile(dir, "another boot");
  expect(readRunnerFile(dir)).not.toBeNull();
  removeRunnerFile(dir, "boot");
  expect(readdirSync(dir)).toEqual([]);
  removeRunnerFile(dir, "boot");
});

test.each([
  "",
  "{",
  "null",
  "[]",
  '{"url": 1}',
  '{"url":"u","node":"n","boot_id":"b","host":"h","pid":"1","config_file":null}',
])("that holds %j counts as none", (text) => {
  writeFileSync(path.join(dir, "runner.json"), text);
  expect(readRunnerFile(dir)).toBeNull();
});
