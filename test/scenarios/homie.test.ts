import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Mosquitto, mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* A controller of the Homie convention beside the runner. */

let dir: string;
let broker: Mosquitto | null;
let runner: RunningRunner;
let controller: MqttClient;
/** What the controller was told, oldest first. */
let heard: { readonly topic: string; readonly payload: string }[];
let url: string;
let root: string;

const on = { homie: {} };
const within = { timeout: 5_000 };

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-homie-"));
  mkdirSync(path.join(dir, "books"));
  broker = null;
});
afterEach(async () => {
  await controller.endAsync(true);
  await runner.kill();
  await broker?.stop();
  rmSync(dir, { recursive: true });
});

async function start(plugins: object = on): Promise<void> {
  const args = ["--library", path.join(dir, "books"), "--data", path.join(dir, "data")];
  const env = { TOMEKEEPER_SCAN__ON_STARTUP: "false", TOMEKEEPER_PLUGINS: JSON.stringify(plugins) };
  const where = broker === null ? ["--mqtt-port", "0"] : ["--broker", broker.url];
  runner = await startRunner([...args, ...where], { env, ...(broker === null ? {} : { url: broker.url }) });
  url = broker?.url ?? runner.url;
  const { node_id } = await runner.state<{ readonly node_id: string }>("info");
  root = `homie/5/tomekeeper-${node_id}`;
}

async function listen(): Promise<void> {
  heard = [];
  controller = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 100 });
  controller.on("message", (topic, payload) => heard.push({ topic, payload: payload.toString() }));
  await controller.subscribeAsync("homie/5/#", { qos: 1 });
}

const last = (id: string): string | undefined =>
  heard.findLast(({ topic }) => topic === `${root}/${id}`)?.payload;
const set = (id: string, payload: string, retain = false) =>
  controller.publishAsync(`${root}/${id}/set`, payload, { qos: 1, retain });

async function isLivedIn(): Promise<void> {
  await expect.poll(() => last("$state"), within).toBe("ready");
  const { nodes } = JSON.parse(last("$description") ?? "{}");
  expect(Object.keys(nodes)).toEqual(expect.arrayContaining(["library", "scan", "queue", "settings"]));
  await expect.poll(() => last("library/books"), within).toBe("0");
  await expect.poll(() => last("queue/paused"), within).toBe("false");
  await expect.poll(() => last("settings/log-level"), within).toBe("info");

  const breakers = () => ["audnexus", "open-library"].map((source) => last(`source-${source}/breaker`));
  await expect.poll(breakers, within).toEqual(["closed", "closed"]);

  await set("queue/paused", "true");
  await expect.poll(() => last("queue/paused"), within).toBe("true");
  expect(last("queue/state")).toBe("paused");
  await set("queue/paused", "false");
  await expect.poll(() => last("queue/paused"), within).toBe("false");
  await set("settings/scan-concurrency", "3");
  await expect.poll(() => last("settings/scan-concurrency"), within).toBe("3");
  await set("settings/scan-concurrency", "3000");
  await expect.poll(() => runner.stderr(), within).toMatch(/is no whole number from 1 to 64/);
  expect(last("settings/scan-concurrency")).toBe("3");
  await set("scan/start", "press");
  await expect.poll(() => heard.some(({ payload }) => payload === "scan_finished"), within).toBe(true);
  await expect.poll(() => last("library/last-scan"), within).toMatch(/^\d{4}-.*Z$/);
}

test("at its own broker it is a device, can be set by whoever may send commands, and by nobody else be told", async () => {
  await start();
  await listen();
  await isLivedIn();
  heard = [];
  await controller.publishAsync(`${root}/$state`, "lost", { qos: 1, retain: true });
  await controller.publishAsync(`${root}/library/books`, "7", { qos: 1, retain: true });
  await set("scan/start", "press");
  await expect.poll(() => heard.some(({ payload }) => payload === "scan_finished"), within).toBe(true);
  expect(heard.some(({ topic }) => topic === `${root}/library/books`)).toBe(false);
  expect(heard.some(({ payload }) => payload === "lost")).toBe(false);
  await runner.stop();
});

describe.skipIf(mosquittoPath === null)("at another broker (needs mosquitto)", () => {
  test("it is ready, lost by its death, disconnected by its stop, and there again after the broker", async () => {
    broker = await startMosquitto();
    await start();
    await listen();
    await isLivedIn();
    await runner.kill();
    await expect.poll(() => last("$state"), within).toBe("lost");
    heard = [];
    await start();
    await expect.poll(() => last("$state"), within).toBe("ready");
    const states = heard.filter(({ topic }) => topic.endsWith("$state")).map(({ payload }) => payload);
    expect(states).toEqual(["init", "ready"]);
    heard = [];
    await broker.stop();
    await broker.start();
    await expect.poll(() => last("$state"), within).toBe("ready");
    await expect.poll(() => last("library/books"), within).toBe("0");
    expect(last("$description")).toMatch(/"homie":"5.0"/);
    await runner.stop();
    await expect.poll(() => last("$state"), within).toBe("disconnected");
  });

  test("what is retained on a topic to be set does nothing, and a device that is switched off is gone", async () => {
    broker = await startMosquitto();
    await start();
    await listen();
    await expect.poll(() => last("$state"), within).toBe("ready");
    await runner.stop();
    await set("queue/paused", "true", true);
    await start();
    await expect.poll(() => runner.stderr(), within).toMatch(/queue\/paused\/set is not set: .*is retained/);
    await expect.poll(() => last("$state"), within).toBe("ready");
    await expect.poll(() => last("queue/paused"), within).toBe("false");
    await runner.stop();
    await set("queue/paused", "", true);
    await start({ homie: { enabled: false } });
    const later = await connectAsync(url, { protocolVersion: 4 });
    const left: string[] = [];
    later.on("message", (topic) => left.push(topic));
    await expect.poll(() => last("$description"), within).toBe("");
    await later.subscribeAsync("homie/5/#");
    await new Promise((resolve) => setTimeout(resolve, 400));
    await later.endAsync();
    expect(left).toEqual([]);
  });
});
