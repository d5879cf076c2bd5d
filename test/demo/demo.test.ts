import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, expect, test } from "vitest";

const main = path.resolve(import.meta.dirname, "../../src/main.ts");

let tmp: string;

beforeEach(() => {
  tmp = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-demo-test-"));
});
afterEach(() => rmSync(tmp, { recursive: true }));

function startDemo(...flags: readonly string[]) {
  const child = spawn(process.execPath, [main, "demo", ...flags], {
    cwd: tmp,
    // Settings of this machine must not change the show.
    env: { ...process.env, TMPDIR: tmp, TOMEKEEPER_NODE: "other", TOMEKEEPER_DATA_DIR: "/nowhere" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said.err += chunk.toString();
  });
  const exited = once(child, "close");
  const hasSaid = async (text: string): Promise<void> => {
    while (!said.out.includes(text)) {
      if (child.exitCode !== null) throw new Error(`the demo ended with ${child.exitCode}: ${said.err}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { child, said, exited, hasSaid };
}

test("shows a scan on the bus, the catalogue and what to try next, ends by itself and leaves nothing", async () => {
  const { said, exited } = startDemo();
  const [exitCode] = await exited;
  expect({ exitCode, err: said.err }).toEqual({ exitCode: 0, err: "" });
  for (const text of [
    "41 audio files of 15 formats",
    "tomekeeper ready mqtt://127.0.0.1:",
    "availability   online",
    'cmd/scan       {"transaction":"demo-1"}',
    "response/scan  accepted operation_id=",
    "response/scan  ok books=23 files=41 problem_count=1",
    "23 books: 23 new, 0 changed, 0 missing.",
    "Bram Stoker/Dracula/03.mp3  unreadable_audio",
    "Little Wizard Stories of Oz by L. Frank Baum (Oz #0.5)",
    "The Oz Omnibus by L. Frank Baum (Oz #1-3)",
    "Germinal by Émile Zola (Les Rougon-Macquart #13)",
    'cmd/organize {"dry_run":true}',
    "└── ",
    "Took back ",
    "npm run demo -- --stay",
  ]) {
    expect(said.out).toContain(text);
  }
  expect(said.out).toMatch(/^Twenty Thousand Lea.*Jules Verne +Voyages.*Bo Lindqvist +15 h +wma +present$/m);
  expect(said.out).toMatch(/^tape 7 side B .*needs_review$/m);
  expect(said.out).not.toContain("\u001b");
  expect(readdirSync(tmp)).toEqual([]);
});

test("stays up for other clients until it is interrupted, and then leaves nothing", async () => {
  const { child, said, exited, hasSaid } = startDemo("--stay");
  await hasSaid("Its library");
  const [, url = "", base = ""] = /^tomekeeper ready (\S+) (\S+)$/m.exec(said.out) ?? [];
  expect(said.out).toContain(`mosquitto_sub -h 127.0.0.1 -p ${new URL(url).port} -v -t '${base}/#'`);
  const client = await connectAsync(url, { protocolVersion: 4 });
  const online = new Promise<string>((resolve) => {
    client.once("message", (_topic, payload) => resolve(payload.toString()));
  });
  await client.subscribeAsync(`${base}/availability`);
  expect(await online).toBe("online");
  await client.endAsync();
  child.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
  expect(readdirSync(tmp)).toEqual([]);
});

test("ends in order when it is interrupted in the middle of the show", async () => {
  const { child, said, exited, hasSaid } = startDemo();
  await hasSaid("tomekeeper ready");
  child.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
  expect(said.err).toBe("");
  expect(readdirSync(tmp)).toEqual([]);
});

test("leaves nothing behind either where whoever reads it has had enough", async () => {
  const { child, exited, hasSaid } = startDemo();
  await hasSaid("tomekeeper ready");
  child.stdout.destroy();
  expect(await exited).toEqual([0, null]);
  expect(readdirSync(tmp)).toEqual([]);
});
