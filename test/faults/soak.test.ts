import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { connect, type MqttClient } from "mqtt";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeBenchLibrary } from "../../bench/make-library.ts";
import { type Mosquitto, mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/*
 * Months in a minute: random commands, downloads that come and go, a broker that restarts, kills. SOAK_SECONDS=600
 * makes it long, SOAK_SEED takes the same steps again (their moments still differ).
 */

const seconds = Number(process.env["SOAK_SECONDS"] ?? 60);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 2 ** 31);

let dir: string;
let broker: Mosquitto;
let runner: RunningRunner;
let client: MqttClient;
/** What the runner says of its memory. */
let memory: { readonly level: string; readonly heap_bytes: number } | null = null;
let samples: readonly Buffer[];
/** What was answered, by transaction: the final answers as they came. */
const finals = new Map<string, string[]>();
const counts = new Map<string, number>();

beforeAll(async () => {
  if (mosquittoPath === null) return;
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-soak-"));
  mkdirSync(at("books"));
  mkdirSync(at("inbox"));
  const { path: made } = await makeBenchLibrary(dir, 60);
  samples = filesIn(made).map((file) => readFileSync(file));
  rmSync(made, { recursive: true });
  broker = await startMosquitto();
  await start();
  client = connect(broker.url, { reconnectPeriod: 100 });
  client.on("message", (topic, payload) => {
    if (topic.endsWith("/memory")) {
      memory = JSON.parse(payload.toString("utf8"));
      return;
    }
    const answer = JSON.parse(payload.toString("utf8"));
    if (answer.status === "accepted" || answer.transaction === null) return;
    finals.set(answer.transaction, [...(finals.get(answer.transaction) ?? []), payload.toString("utf8")]);
  });
  client.subscribe("tomekeeper/main/response/+", { qos: 1 });
  client.subscribe("tomekeeper/main/memory", { qos: 0 });
});
afterAll(async () => {
  if (mosquittoPath === null) return;
  await client.endAsync(true);
  await runner.kill();
  await broker.stop();
  rmSync(dir, { recursive: true, force: true });
});

const at = (name: string): string => path.join(dir, name);

async function start(): Promise<void> {
  const roots = [
    "--library",
    at("books"),
    "--inbox",
    at("inbox"),
    "--data",
    at("data"),
    "--broker",
    broker.url,
  ];
  runner = await startRunner(roots, {
    url: broker.url,
    env: { TOMEKEEPER_ORGANIZE__AUTO: "true" },
  });
}

let lastTransaction = 0;
let lastOperation = "";

function send(command: string, payload: object): void {
  const transaction = `soak-${++lastTransaction}`;
  client.publish(`tomekeeper/main/cmd/${command}`, JSON.stringify({ transaction, ...payload }), { qos: 1 });
}

/** The final answer, asked for under the same transaction until it comes. */
async function ask(command: string, payload: object = {}, limitMs = 120_000) {
  const transaction = `soak-${++lastTransaction}`;
  const untilMs = Date.now() + limitMs;
  for (let round = 0; !finals.has(transaction); round++) {
    if (Date.now() > untilMs) throw new Error(`no answer to ${command}: ${runner.stderr().slice(-2000)}`);
    if (round % 50 === 0) {
      client.publish(`tomekeeper/main/cmd/${command}`, JSON.stringify({ transaction, ...payload }), {
        qos: 1,
      });
    }
    await delay(100);
  }
  return JSON.parse(finals.get(transaction)?.[0] ?? "null");
}

/** Contents that must still be somewhere. */
const owned = new Set<string>();
let lastBook = 0;

function download(): void {
  const number = ++lastBook;
  const folder = at(`inbox/Author ${number % 7} - Book ${number}`);
  mkdirSync(folder);
  for (let track = 1; track <= 3; track++) {
    const sample = samples[(number * 3 + track) % samples.length] ?? Buffer.alloc(0);
    const bytes = Buffer.concat([sample, Buffer.from(` ${number} ${track}`)]);
    writeFileSync(path.join(folder, `${track}.mp3`), bytes);
    owned.add(hashOf(bytes));
  }
}

function remove(which: number): void {
  const names = readdirSync(at("inbox")).filter((name) => !name.startsWith("."));
  const name = names[which % Math.max(1, names.length)];
  if (name === undefined) return;
  const folder = at(`inbox/${name}`);
  for (const file of filesIn(folder)) owned.delete(hashOf(readFileSync(file)));
  rmSync(folder, { recursive: true });
}

const steps: Readonly<Record<string, (which: number) => unknown>> = {
  download,
  remove,
  scan: (which) => send("scan", which % 2 === 0 ? { root: "books" } : { root: "inbox" }),
  scanAll: () => send("scan", { force: true, priority: "low" }),
  organize: (which) => send("organize", { strategy: ["copy", "hardlink", "move", "auto"][which % 4] }),
  undo: () => send("undo", { partial: true }),
  verify: () => send("verify", {}),
  query: () => send("query", { text: "book" }),
  pause: (which) => send("pause", which % 3 === 0 ? {} : { kind: which % 3 === 1 ? "scan" : "organize" }),
  resume: () => send("resume", {}),
  cancel: () => send("cancel", { operation_id: lastOperation }),
  retry: () => send("retry", { operation_id: lastOperation }),
  configure: (which) => send("configure", { operation_concurrency: 1 + (which % 4) }),
  restartBroker: async () => {
    await broker.stop();
    await delay(300);
    await broker.start();
  },
  kill: async () => {
    await runner.kill();
    await start();
  },
  stop: async () => {
    await runner.stop();
    await start();
  },
};
/** How often each comes, of a hundred or so. */
const weights: Readonly<Record<string, number>> = {
  download: 14,
  remove: 3,
  scan: 12,
  scanAll: 3,
  organize: 12,
  undo: 4,
  verify: 3,
  query: 8,
  pause: 6,
  resume: 10,
  cancel: 6,
  retry: 3,
  configure: 3,
  restartBroker: 2,
  kill: 3,
  stop: 2,
};

const stepOf = fc.record({
  name: fc.oneof(
    ...Object.entries(weights).map(([name, weight]) => ({ arbitrary: fc.constant(name), weight })),
  ),
  which: fc.nat(1000),
  waitMs: fc.nat(400),
});

async function runSteps(forSeconds: number, except: readonly string[]): Promise<void> {
  const untilMs = Date.now() + forSeconds * 1000;
  for (const { name, which, waitMs } of fc.sample(fc.noBias(stepOf), { seed, numRuns: forSeconds * 20 })) {
    if (Date.now() > untilMs) return;
    if (except.includes(name)) continue;
    if (name === "cancel" || name === "retry") {
      const state = name === "cancel" ? {} : { state: "failed" };
      const found = await ask("operations", { limit: 5, ...state });
      lastOperation = found.data.items[which % Math.max(1, found.data.items.length)]?.operation_id ?? "none";
    }
    counts.set(name, (counts.get(name) ?? 0) + 1);
    await steps[name]?.(which);
    await delay(waitMs);
  }
}

/** Everything that waits has ended. */
async function idle(): Promise<void> {
  await ask("resume");
  const untilMs = Date.now() + 120_000;
  for (let quiet = 0; quiet < 3; ) {
    if (Date.now() > untilMs) throw new Error(`it does not come to rest: ${runner.stderr().slice(-2000)}`);
    const unfinished = await Promise.all(
      ["queued", "waiting", "running"].map((state) => ask("operations", { state, limit: 1 })),
    );
    quiet = unfinished.every((page) => page.data.total === 0) ? quiet + 1 : 0;
    await delay(1000);
  }
  // The runner collects what its work has left behind when it has had nothing to do for a while.
  await delay(15_000);
}

function openDescriptors(): number {
  return readdirSync(`/proc/${runner.pid}/fd`).length;
}

function residentMegabytes(): number {
  const status = readFileSync(`/proc/${runner.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024;
}

test.skipIf(mosquittoPath === null)(
  "random commands, downloads, restarts and kills lose nothing, do nothing twice, and leak nothing",
  async () => {
    console.log(`SOAK_SEED=${seed} SOAK_SECONDS=${seconds}`);
    await runSteps(seconds * 0.6, []);
    await runner.stop();
    await start();
    await runSteps(seconds * 0.1, ["kill", "stop"]);
    await idle();
    const before = { descriptors: openDescriptors(), megabytes: residentMegabytes() };
    await runSteps(seconds * 0.3, ["kill", "stop"]);
    await idle();
    const after = { descriptors: openDescriptors(), megabytes: residentMegabytes() };
    console.log(
      JSON.stringify({ before, after, memory, counts: Object.fromEntries(counts), books: lastBook }),
    );

    // A watch per folder that came meanwhile is no descriptor; a few connections may be on their way.
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 8);
    expect(after.megabytes).toBeLessThan(before.megabytes + 80);
    const there = new Set(
      [...filesIn(at("books")), ...filesIn(at("inbox"))].map((file) => hashOf(readFileSync(file))),
    );
    expect([...owned].filter((hash) => !there.has(hash))).toEqual([]);
    const leftovers = [...filesIn(at("books")), ...filesIn(at("inbox"))].filter((file) =>
      file.endsWith(".part"),
    );
    expect(leftovers).toEqual([]);
    for (const [transaction, answers] of finals) expect(new Set(answers).size, transaction).toBe(1);
    // What it believes is what is there. What the first scan finds in the inbox is organized, and looked at once more.
    for (let round = 0; round < 2; round++) {
      await ask("scan");
      await idle();
    }
    const again = await ask("scan");
    expect(again.data.summary).toMatchObject({ added: 0, changed: 0, missing: 0 });
    const history = await ask("history", { limit: 200 });
    expect(history.data.items.filter((batch: { readonly state: string }) => batch.state === "open")).toEqual(
      [],
    );
  },
  (seconds + 600) * 1000,
);

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function filesIn(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}
