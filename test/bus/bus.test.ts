import { once } from "node:events";
import { createServer } from "node:net";
import { Aedes } from "aedes";
import { afterEach, expect, test } from "vitest";
import type { StateBody } from "../../src/bus/topics.ts";
import { stateTopics } from "../../src/bus/topics.ts";
import type { Operation } from "../../src/domain/operation.ts";
import {
  base,
  Cleanup,
  completed,
  createLog,
  external,
  FakeClock,
  listen,
  MemoryCommandStore,
  makeBus,
  operation,
  startBroker,
  startProxy,
} from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const idle: StateBody<"scan"> = {
  state: "idle",
  operation_id: null,
  root_id: null,
  path: null,
  dirs_found: 0,
  dirs_done: 0,
  files_found: 0,
  files_done: 0,
  books_found: 0,
  percent: null,
  eta_seconds: null,
  resumed_from: null,
  problems: 0,
};

async function embedded() {
  const broker = await startBroker(cleanup);
  return { broker, transport: { kind: "stream", open: broker.open } as const };
}

async function client(url: string, topics?: readonly string[]) {
  const listener = await listen(url, {}, topics);
  cleanup.add(() => listener.close());
  return listener;
}

test("is online, retained, once start has resolved, and offline after stop", async () => {
  const { broker, transport } = await embedded();
  const bus = makeBus(cleanup, { transport });
  await bus.start();
  expect(bus.status()).toEqual({ connected: true, reconnects: 0, outbox: 0, dropped: 0 });
  const listener = await client(broker.url);
  await listener.heard(`${base}/availability`, (all) => all[0]?.text === "online" && all[0].retain);
  await bus.stop();
  await listener.heard(`${base}/availability`, (all) => all.at(-1)?.text === "offline");
  expect(bus.status().connected).toBe(false);
  const late = await client(broker.url);
  await late.heard(`${base}/availability`, (all) => all[0]?.text === "offline" && all[0].retain);
  // A DISCONNECT leaves no will behind.
  const availability = listener.messages.filter(({ topic }) => topic === `${base}/availability`);
  expect(availability.map(({ text }) => text)).toEqual(["online", "offline"]);
});

test("may say at every connection what is so of it, before the state goes out", async () => {
  const login = { username: "bus", password: "bus-pass" };
  const broker = await startBroker(cleanup, {
    runnerClientId: "somebody-else",
    users: [{ ...login, role: "admin" }],
  });
  const wire = await startProxy(cleanup, broker.port);
  const listener = await listen(broker.url, login);
  cleanup.add(() => listener.close());
  const publishHealth = (): void =>
    bus.publishState("health", {
      uptime_seconds: 1,
      mqtt: bus.status(),
      event_loop_delay_p99_ms: 1,
      queue: { running: 0, waiting: 0 },
      worst_diagnostic: "ok",
    });
  const bus = makeBus(cleanup, { transport: external(wire.url, login), onOnline: publishHealth });
  publishHealth();
  await bus.start();
  await listener.heard(`${base}/health`, (all) => all.length === 1);
  wire.cut();
  await expect.poll(() => bus.status().connected).toBe(false);
  wire.mend();
  const all = await listener.heard(`${base}/health`, ({ length }) => length === 2);
  expect(all.map(({ text }) => JSON.parse(text).mqtt)).toMatchObject([
    { connected: true, reconnects: 0 },
    { connected: true, reconnects: 1 },
  ]);
});

test("announces discovery before availability, and all state after it", async () => {
  const { broker, transport } = await embedded();
  const listener = await client(broker.url, ["tomekeeper/#", "homeassistant/#"]);
  const announcement = { topic: "homeassistant/device/x/config", payload: "{}" };
  const bus = makeBus(cleanup, {
    transport,
    extensions: [{ listensTo: [], delivered: () => {}, presences: [], announces: () => [announcement] }],
  });
  bus.publishState("scan", idle);
  bus.publishEvent({ event_type: "diagnostics_changed" });
  await bus.start();
  await listener.heard(`${base}/event`, (all) => all.length === 1);
  expect(listener.messages.map(({ topic }) => topic)).toEqual([
    announcement.topic,
    `${base}/availability`,
    `${base}/scan`,
    `${base}/event`,
  ]);
});

test("hears the exact topics that an extension asks for, and no others", async () => {
  const { broker, transport } = await embedded();
  const heard: string[] = [];
  const listensTo = [
    { topic: "homeassistant/status", onMessage: (payload: Buffer) => heard.push(payload.toString()) },
  ];
  const bus = makeBus(cleanup, {
    transport,
    extensions: [{ listensTo, delivered: () => {}, presences: [], announces: () => [] }],
  });
  await bus.start();
  const hub = await client(broker.url);
  await hub.client.publishAsync("homeassistant/status", "online", { qos: 1 });
  await hub.command("query", {});
  await hub.answers("query", 1);
  expect(heard).toEqual(["online"]);
});

test("events and states bear what the contract asks for", async () => {
  const { broker, transport } = await embedded();
  const bus = makeBus(cleanup, { transport });
  await bus.start();
  const listener = await client(broker.url);
  bus.publishState("scan", idle);
  bus.publishEvent({ event_type: "scan_finished", operation_id: "op-1", kind: "scan" });
  bus.publishEvent({ event_type: "needs_review", book: { id: "b" } });
  bus.publishLog("warn", "x".repeat(5_000));
  const [state] = await listener.heard(`${base}/scan`, (all) => all.length === 1);
  expect(stateTopics.scan.payload.safeParse(JSON.parse(state?.text ?? "")).success).toBe(true);
  const events = await listener.heard(`${base}/event`, (all) => all.length === 2);
  expect(events.map(({ text }) => JSON.parse(text))).toEqual([
    {
      event_type: "scan_finished",
      operation_id: "op-1",
      kind: "scan",
      ts: expect.stringMatching(/^\d{4}-.*Z$/),
      boot_id: "boot-1",
      seq: 1,
    },
    expect.objectContaining({ event_type: "needs_review", seq: 2 }),
  ]);
  expect(events.every(({ retain }) => !retain)).toBe(true);
  const [line] = await listener.heard(`${base}/log`, (all) => all.length === 1);
  expect(JSON.parse(line?.text ?? "")).toMatchObject({ level: "warn", message: "x".repeat(2_000) });
});

test("answers commands, survives broken, retained and oversized ones, and goes on", async () => {
  const { broker, transport } = await embedded();
  const bus = makeBus(cleanup, { transport });
  await bus.start();
  const listener = await client(broker.url);
  await listener.command("query", "{broken");
  await listener.command("query", Buffer.alloc(300 * 1024, 0x20));
  await listener.command("query", { txt: 1, transaction: "t1" });
  await listener.command("query", { transaction: "t2" }, { retain: true });
  await listener.command("query", "");
  await listener.command("query", { transaction: "t3" });
  const answers = await listener.answers("query", 4);
  expect(answers.map(({ transaction, error }) => [transaction, error?.code ?? "ok"])).toEqual([
    [null, "invalid_json"],
    [null, "payload_too_large"],
    ["t1", "invalid_payload"],
    ["t3", "ok"],
  ]);
});

test("the will says offline when the runner is gone without a word, and it comes back by itself", async () => {
  const { broker } = await embedded();
  const log = createLog();
  let last: ReturnType<typeof broker.open> | null = null;
  const open = () => {
    last = broker.open();
    return last;
  };
  const bus = makeBus(cleanup, { transport: { kind: "stream", open }, log });
  bus.publishState("scan", idle);
  await bus.start();
  const listener = await client(broker.url);
  await listener.heard(`${base}/availability`, (all) => all.length === 1);
  (last as ReturnType<typeof broker.open> | null)?.destroy();
  const availability = await listener.heard(`${base}/availability`, (all) => all.length === 3);
  expect(availability.map(({ text }) => text)).toEqual(["online", "offline", "online"]);
  const states = await listener.heard(`${base}/scan`, (all) => all.length === 2);
  expect(states[1]?.text).toBe(states[0]?.text);
  expect(bus.status()).toMatchObject({ connected: true, reconnects: 1 });
  await listener.command("query", { transaction: "t1" });
  expect(await listener.answers("query", 1)).toMatchObject([{ transaction: "t1", status: "ok" }]);
});

test("start resolves and stop ends although there is no broker; what is published meanwhile is bounded", async () => {
  const log = createLog();
  const clock = new FakeClock();
  const bus = makeBus(cleanup, { transport: external("mqtt://127.0.0.1:1"), log, clock });
  const started = bus.start();
  for (let i = 0; i < 5_000; i++) bus.publishEvent({ event_type: "book_added", book: { id: String(i) } });
  clock.pass(4_999);
  const early = await Promise.race([
    started.then(() => "resolved"),
    new Promise((resolve) => setImmediate(resolve, "waits")),
  ]);
  expect(early).toBe("waits");
  clock.pass(1);
  await started;
  expect(bus.status()).toEqual({ connected: false, reconnects: 0, outbox: 2_000, dropped: 3_000 });
  await expect.poll(() => log.lines.length).toBeGreaterThan(1);
  await bus.stop();
});

test("an absent broker is tried again with growing delays up to four seconds, and told once", async () => {
  const log = createLog();
  const clock = new FakeClock();
  const bus = makeBus(cleanup, { transport: external("mqtt://127.0.0.1:1"), log, clock });
  const started = bus.start();
  const attempts = (): number =>
    log.lines.filter((line) => line.includes("No connection to the broker")).length;
  await expect.poll(attempts).toBe(1);
  // Half of 250 ms doubled each time, since the harness's chance is always 0.
  for (const [i, delayMs] of [125, 250, 500, 1_000, 2_000, 2_000, 2_000].entries()) {
    clock.pass(delayMs - 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(attempts()).toBe(i + 1);
    clock.pass(1);
    await expect.poll(attempts).toBe(i + 2);
  }
  expect(log.lines.filter((line) => line.startsWith("warn No connection"))).toHaveLength(1);
  await started;
  await bus.stop();
});

test.each([
  ["in so many words", () => false],
  ["by hanging up", (firstBytes: Buffer) => firstBytes[8] === 5],
])("falls back to 3.1.1 where the broker refuses MQTT 5 %s", async (_how, hangsUp) => {
  const broker = await startBroker(cleanup, { runnerClientId: "somebody-else" });
  const wire = await startProxy(cleanup, broker.port, hangsUp);
  const log = createLog();
  const bus = makeBus(cleanup, { transport: external(wire.url), log });
  await bus.start();
  expect(log.lines).toContain("info Connected to the broker with MQTT 3.1.1");
  wire.cut();
  await expect.poll(() => bus.status().connected).toBe(false);
  wire.mend();
  await expect
    .poll(() => bus.status(), { timeout: 10_000 })
    .toMatchObject({ connected: true, reconnects: 1 });
});

test("a broker that refuses the command topics is told, and no runner says that it is online", async () => {
  const refusing = await Aedes.createBroker({
    authorizeSubscribe: (_client, _subscription, done) => done(null, null),
  });
  const published: string[] = [];
  refusing.on("publish", ({ topic, payload }) => published.push(`${topic} ${payload}`));
  const server = createServer(refusing.handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanup.add(() => server.close());
  cleanup.add(() => new Promise<void>((resolve) => refusing.close(resolve)));
  const address = server.address();
  const log = createLog();
  const clock = new FakeClock();
  const url = `mqtt://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  const bus = makeBus(cleanup, { transport: external(url), log, clock });
  const started = bus.start();
  await expect
    .poll(() => log.lines)
    .toContainEqual(expect.stringMatching(/^warn No connection to the broker: .*cmd/));
  clock.pass(5_000);
  await started;
  expect(bus.status().connected).toBe(false);
  expect(published).not.toContain(`${base}/availability online`);
});

test("a command from before a restart is answered after it", async () => {
  const { broker, transport } = await embedded();
  const store = new MemoryCommandStore();
  const operations = new Map<string, Operation>([["op-1", operation("op-1")]]);
  const setup = {
    transport,
    store,
    findOperation: (id: string) => operations.get(id) ?? null,
    handlers: { scan: { run: () => ({ operationIds: ["op-1"] }) } },
  };
  const listener = await client(broker.url);
  const first = makeBus(cleanup, setup);
  await first.start();
  await listener.command("scan", { transaction: "t1" });
  await listener.answers("scan", 1);
  await first.stop();
  operations.set("op-1", completed("op-1", { books: 1 }));
  const second = makeBus(cleanup, { ...setup, bootId: "boot-2" });
  await second.start();
  const answers = await listener.answers("scan", 2);
  expect(answers[1]).toMatchObject({ transaction: "t1", status: "ok", data: { summary: { books: 1 } } });
  await listener.command("scan", { transaction: "t1" });
  const again = await listener.answers("scan", 4);
  expect(again.slice(2)).toEqual(again.slice(0, 2));
});

test("ten thousand commands over the embedded broker are each answered exactly once", async () => {
  const { broker, transport } = await embedded();
  const operations = new Map<string, Operation>([["op-1", operation("op-1")]]);
  const bus = makeBus(cleanup, {
    transport,
    findOperation: (id) => operations.get(id) ?? null,
    handlers: { scan: { run: async () => ({ operationIds: ["op-1"] }) } },
  });
  await bus.start();
  const listener = await client(broker.url, [`${base}/response/+`]);
  for (let i = 0; i < 10_000; i++) {
    listener.client.publish(`${base}/cmd/scan`, JSON.stringify({ transaction: `t${i}` }), { qos: 1 });
  }
  const accepted = await listener.answers("scan", 10_000);
  expect(new Set(accepted.map(({ transaction }) => transaction)).size).toBe(10_000);
  operations.set("op-1", completed("op-1"));
  bus.operationEnded(completed("op-1"));
  const all = await listener.answers("scan", 20_000);
  const kinds = all.map(({ transaction, status }) => `${transaction} ${status}`);
  expect(new Set(kinds).size).toBe(20_000);
  expect(all).toHaveLength(20_000);
  expect(bus.status().dropped).toBe(0);
});
