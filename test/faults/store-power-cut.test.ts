import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type Acknowledged,
  acknowledgedMore,
  lostFrom,
  nothingAcknowledged,
  startWriter,
} from "./store-acknowledged.ts";

const tools = ["mkfs.xfs", "xfs_io", "mount", "cc"];
const missing = tools.filter((tool) => spawnSync("which", [tool]).status !== 0);
const canCut = process.platform === "linux" && process.getuid?.() === 0 && missing.length === 0;

/** A file system on a file, whose power can be cut: what was not synced is gone. */
let dir: string;
let image: string;
let disk: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-power-"));
  image = path.join(dir, "image");
  disk = path.join(dir, "disk");
  mkdirSync(disk);
  writeFileSync(image, "");
  truncateSync(image, 400 * 1024 * 1024);
  run("mkfs.xfs", "-q", image);
  run("mount", "-o", "loop", image, disk);
});

afterEach(() => {
  spawnSync("umount", [disk]);
  rmSync(dir, { recursive: true });
});

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

async function writeAndCut(acknowledged: Acknowledged, environment?: NodeJS.ProcessEnv): Promise<void> {
  const writer = startWriter(path.join(disk, "data"), acknowledged, environment);
  await acknowledgedMore(acknowledged, 20 + Math.floor(Math.random() * 40), writer);
  run("xfs_io", "-x", "-c", "shutdown", disk);
  writer.process.kill("SIGKILL");
  await writer.ended;
  run("umount", disk);
  run("mount", "-o", "loop", image, disk);
}

describe.skipIf(!canCut)(`when the power is cut (needs root, ${tools.join(", ")})`, () => {
  test("everything acknowledged is there, ten times over", async () => {
    const acknowledged = nothingAcknowledged();
    for (let round = 0; round < 10; round++) {
      await writeAndCut(acknowledged);
      expect(await lostFrom(path.join(disk, "data"), acknowledged)).toEqual([]);
      acknowledged.checkpoints.clear();
    }
    expect(acknowledged.operations.size).toBeGreaterThan(100);
  });

  test("the same without fsync loses something, or this test would prove nothing", async () => {
    const source = path.join(dir, "nosync.c");
    const library = path.join(dir, "nosync.so");
    writeFileSync(source, "int fsync(int fd) { return 0; }\nint fdatasync(int fd) { return 0; }\n");
    run("cc", "-shared", "-fPIC", "-o", library, source);
    const acknowledged = nothingAcknowledged();
    await writeAndCut(acknowledged, { LD_PRELOAD: library });
    const lost = await lostFrom(path.join(disk, "data"), acknowledged).catch((error: unknown) => [
      String(error),
    ]);
    expect(lost).not.toEqual([]);
  });
});
