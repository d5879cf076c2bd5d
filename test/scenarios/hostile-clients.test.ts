import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeAudio } from "../../src/demo/audio/make-audio.ts";
import { freePort } from "../fixtures/mosquitto.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* Clients of the runner's own broker that mean no good, or are broken; and whether the runner notices. */

const base = "tomekeeper/main";
const users = [
  { username: "carl", password: "control-pass", role: "control" },
  { username: "rita", password: "read-pass", role: "read" },
];
const carl = { username: "carl", password: "control-pass" };
const rita = { username: "rita", password: "read-pass" };

let dir: string;
let port: number;
let runner: RunningRunner;
const clients = new Set<MqttClient>();
const sockets = new Set<Socket>();

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-hostile-"));
  mkdirSync(path.join(dir, "books/Emma"), { recursive: true });
  await makeAudio(path.join(dir, "books/Emma/01.mp3"), { tags: { album: "Emma", artist: "Jane Austen" } });
  port = await freePort();
  const args = ["--library", path.join(dir, "books"), "--data", path.join(dir, "data")];
  runner = await startRunner([...args, "--mqtt-port", String(port)], {
    url: `mqtt://carl:control-pass@127.0.0.1:${port}`,
    env: { TOMEKEEPER_MQTT__EMBEDDED__USERS: JSON.stringify(users), TOMEKEEPER_SCAN__ON_STARTUP: "false" },
  });
});
afterEach(async () => {
  for (const client of clients) await client.endAsync(true);
  for (const socket of sockets) socket.destroy();
  clients.clear();
  sockets.clear();
  const code = await runner.stop();
  rmSync(dir, { recursive: true });
  expect(code).toBe(0);
});

async function enter(options: IClientOptions): Promise<MqttClient> {
  const client = await connectAsync({
    host: "127.0.0.1",
    port,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  });
  clients.add(client);
  return client;
}

/** A connection without a client library, which would refuse to do some of this. */
async function raw(...packets: readonly Buffer[]): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  sockets.add(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  for (const bytes of packets) socket.write(bytes);
  return socket;
}

/** An MQTT packet of less than 128 bytes. */
function packet(type: number, ...body: readonly (Buffer | readonly number[])[]): Buffer {
  const bytes = Buffer.concat(body.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([type, bytes.length]), bytes]);
}

function field(value: string): Buffer {
  return Buffer.concat([Buffer.from([0, value.length]), Buffer.from(value)]);
}

/** CONNECT with name and password, a clean session, no keepalive. */
function asCarl(clientId: string): Buffer {
  const [username, password] = [field(carl.username), field(carl.password)];
  return packet(0x10, field("MQTT"), [4, 0xc2, 0, 0], field(clientId), username, password);
}

/** It does what it is asked, and was never away. */
async function isUnmoved(): Promise<void> {
  const answers = await runner.ask("query", {});
  expect(answers.at(-1)).toMatchObject({ status: "ok" });
  const said = runner.messages.filter(({ topic }) => topic === `${base}/availability`);
  expect(said.map(({ payload }) => payload)).toEqual(["online"]);
  expect(runner.stderr()).not.toMatch(/connection to the broker ended/);
}

function rssBytes(): number {
  const pages = Number(readFileSync(`/proc/${runner.pid}/statm`, "utf8").split(" ")[1]);
  return pages * 4_096;
}

describe("the runner is unmoved by", () => {
  test("nobody in particular, a wrong password, and its own client id", async () => {
    const { node_id } = await runner.state<{ readonly node_id: string }>("info");
    const attempts = [
      {},
      { ...carl, password: "guessed" },
      { ...carl, clientId: `tomekeeper_${node_id}` },
      { ...carl, clientId: `tomekeeper_${node_id}_1` },
    ];
    for (const attempt of attempts) await expect(enter(attempt)).rejects.toThrow(/Not authorized/);
    await isUnmoved();
  });

  test("a user without rights, and one who speaks in its name", async () => {
    const reader = await enter(rita);
    await reader.publishAsync(`${base}/cmd/scan`, "{}", { qos: 1 });
    const speaker = await enter(carl);
    const lies = [
      `${base}/availability`,
      `${base}/library`,
      "homeassistant/device/tomekeeper_x/config",
      "a/b",
    ];
    for (const topic of lies) await speaker.publishAsync(topic, "lie", { qos: 1, retain: true });
    await isUnmoved();
    expect(runner.messages.some(({ payload }) => payload === "lie")).toBe(false);
    const { total } = (await runner.ask("operations", {})).at(-1)?.data ?? {};
    expect(total).toBe(0);
  });

  test("a publish to a wildcard", async () => {
    const hearsAll: string[] = [];
    const reader = await enter(rita);
    reader.on("message", (topic) => hearsAll.push(topic));
    await reader.subscribeAsync(`${base}/cmd/#`, { qos: 1 });
    for (const topic of [`${base}/cmd/+`, `${base}/#`, "#"]) {
      const socket = await raw(asCarl(`wild-${topic.length}`));
      await once(socket, "data");
      socket.write(packet(0x30, field(topic), Buffer.from("{}")));
      socket.end();
      await once(socket, "close");
    }
    await isUnmoved();
    expect(hearsAll.filter((topic) => /[+#]/.test(topic))).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")(
    "a packet of a hundred megabytes, which it does not keep",
    async () => {
      const before = rssBytes();
      const socket = await raw(asCarl("big"));
      await once(socket, "data");
      // Not `once`, which throws where the connection is reset: that is what should happen.
      const told = (event: "close" | "drain") =>
        new Promise<void>((resolve) => socket.once(event, () => resolve()));
      const closed = told("close");
      const sizeBytes = 100 * 1_048_576;
      const length: number[] = [];
      for (let left = sizeBytes; left > 0; left >>= 7) length.push((left & 127) | (left > 127 ? 128 : 0));
      socket.write(Buffer.concat([Buffer.from([0x30, ...length]), field(`${base}/cmd/scan`)]));
      const chunk = Buffer.alloc(1_048_576, 0x20);
      for (let sent = 0; sent < sizeBytes && !socket.destroyed; sent += chunk.length) {
        if (!socket.write(chunk)) await Promise.race([told("drain"), closed]);
      }
      await closed;
      await isUnmoved();
      expect(rssBytes() - before).toBeLessThan(50 * 1_048_576);
    },
  );

  test("a thousand connections, and a reader who stops reading", async () => {
    const subscribe = packet(0x82, [0, 1], field("tomekeeper/#"), [1]);
    const frozen = await raw(asCarl("frozen"), subscribe);
    await once(frozen, "data");
    frozen.pause();
    const crowd = await Promise.all(Array.from({ length: 1000 }, () => raw().catch(() => null)));
    const open = () => crowd.filter((socket) => socket?.readyState === "open").length;
    await expect.poll(open, { timeout: 10_000 }).toBeLessThanOrEqual(100);
    const text = "x".repeat(60_000);
    for (let i = 0; i < 200; i++) {
      const answer = (await runner.ask("query", { text })).at(-1);
      expect(answer?.transaction).not.toBeNull();
    }
    for (const socket of crowd) socket?.destroy();
    await isUnmoved();
    await expect
      .poll(
        () =>
          enter(rita).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  });
});
