import { expect, test } from "vitest";
import { createStatePublisher } from "../../src/bus/state.ts";
import { type StateBody, stateTopics } from "../../src/bus/topics.ts";
import { FakeClock } from "./harness.ts";

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

const reading = (files: number): StateBody<"scan"> => ({
  ...idle,
  state: "reading",
  operation_id: "op",
  files_done: files,
});

const queue = (running: readonly string[], completed = 0): StateBody<"queue"> => ({
  state: "running",
  paused_kinds: [],
  counts: {
    queued: 0,
    waiting: 0,
    running: running.length,
    completed,
    failed: 0,
    cancelled: 0,
    interrupted: 0,
  },
  by_priority: { low: 0, normal: 0, high: 0 },
  workers: { current: 2, min: 2, max: 4 },
  oldest_wait_seconds: 0,
  running: running.map((id) => ({ operation_id: id, kind: "scan", scope: "books:/", percent: null })),
  waiting: [],
});

function setUp() {
  const clock = new FakeClock();
  // biome-ignore lint/suspicious/noExplicitAny: payloads are looked into freely
  const sent: any[] = [];
  const messages: unknown[] = [];
  const publisher = createStatePublisher({
    base: "tomekeeper/main",
    bootId: "boot-1",
    clock,
    send: (message) => {
      messages.push(message);
      sent.push(JSON.parse(String(message.payload)));
    },
  });
  return { clock, sent, messages, publisher };
}

test("stamps every payload with the time, the boot and a sequence per topic", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("scan", idle);
  publisher.publish("queue", queue([]));
  clock.pass(2_500);
  publisher.publish("scan", reading(1));
  expect(sent.map(({ ts, boot_id, seq }) => ({ ts, boot_id, seq }))).toEqual([
    { ts: "2026-01-02T03:04:05.000Z", boot_id: "boot-1", seq: 1 },
    { ts: "2026-01-02T03:04:05.000Z", boot_id: "boot-1", seq: 1 },
    { ts: "2026-01-02T03:04:07.500Z", boot_id: "boot-1", seq: 2 },
  ]);
  expect(stateTopics.scan.payload.safeParse(sent[0]).success).toBe(true);
  expect(stateTopics.queue.payload.safeParse(sent[1]).success).toBe(true);
});

test("is retained with QoS 1, and health alone is forgotten by an MQTT 5 broker after 180 s", () => {
  const { messages, publisher } = setUp();
  publisher.publish("scan", idle);
  publisher.publish("health", {
    uptime_seconds: 1,
    mqtt: { connected: true, reconnects: 0, outbox: 0, dropped: 0 },
    event_loop_delay_p99_ms: 1.5,
    queue: { running: 0, waiting: 0 },
    worst_diagnostic: "ok",
  });
  expect(messages).toEqual([
    expect.objectContaining({ topic: "tomekeeper/main/scan", qos: 1, retain: true }),
    expect.objectContaining({ topic: "tomekeeper/main/health", qos: 1, retain: true, expirySeconds: 180 }),
  ]);
  expect(messages[0]).not.toHaveProperty("expirySeconds");
});

test("publishes progress at most once a second, and the last value of each second", () => {
  const { clock, sent, publisher } = setUp();
  for (let i = 0; i <= 3_000; i++) {
    publisher.publish("scan", reading(i));
    clock.pass(1);
  }
  clock.pass(1_000);
  expect(sent.map(({ files_done }) => files_done)).toEqual([0, 999, 1_999, 2_999, 3_000]);
  clock.pass(10_000);
  expect(sent).toHaveLength(5);
});

test("publishes a change of state at once, with the last values, and drops what waited before it", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("scan", reading(1));
  clock.pass(100);
  publisher.publish("scan", reading(2));
  publisher.publish("scan", { ...reading(3), state: "saving" });
  publisher.publish("scan", { ...idle, files_done: 3 });
  expect(sent.map(({ state, files_done }) => [state, files_done])).toEqual([
    ["reading", 1],
    ["saving", 3],
    ["idle", 3],
  ]);
  clock.pass(5_000);
  expect(sent).toHaveLength(3);
});

test("the next operation is told at once, though the state is the same", () => {
  const { sent, publisher } = setUp();
  publisher.publish("scan", reading(1));
  publisher.publish("scan", { ...reading(0), operation_id: "other" });
  expect(sent.map(({ operation_id }) => operation_id)).toEqual(["op", "other"]);
});

test("does not publish the same value twice, nor a change that was taken back in time", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("scan", reading(1));
  publisher.publish("scan", reading(1));
  clock.pass(5_000);
  publisher.publish("scan", reading(1));
  clock.pass(100);
  expect(sent).toHaveLength(1);
  publisher.publish("scan", reading(2));
  publisher.publish("scan", reading(3));
  publisher.publish("scan", reading(2));
  clock.pass(5_000);
  expect(sent.map(({ files_done }) => files_done)).toEqual([1, 2]);
});

test("diagnostics are published at once each time", () => {
  const { sent, publisher } = setUp();
  publisher.publish("diagnostics", { worst: "ok", checks: [] });
  publisher.publish("diagnostics", { worst: "warn", checks: [] });
  publisher.publish("diagnostics", { worst: "ok", checks: [] });
  expect(sent.map(({ worst }) => worst)).toEqual(["ok", "warn", "ok"]);
});

test("a burst of ten thousand short operations makes ten queue messages a second, and the last is true", () => {
  const { clock, sent, publisher } = setUp();
  for (let i = 0; i < 10_000; i++) {
    publisher.publish("queue", queue([`op-${i}`], i));
    clock.pass(0.1);
  }
  publisher.publish("queue", queue([], 10_000));
  clock.pass(1_000);
  expect(sent.length).toBeGreaterThanOrEqual(10);
  expect(sent.length).toBeLessThanOrEqual(13);
  expect(sent.at(-1)).toMatchObject({ running: [], counts: { completed: 10_000 } });
});

test("a first operation after a quiet time is told at once, its counts within a second", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("queue", queue([]));
  clock.pass(500);
  publisher.publish("queue", queue(["op-1"]));
  expect(sent).toHaveLength(2);
  publisher.publish("queue", queue(["op-1"], 7));
  clock.pass(500);
  expect(sent).toHaveLength(2);
  clock.pass(500);
  expect(sent.at(-1)).toMatchObject({ counts: { completed: 7 } });
});

test("a change of the running set is not put off by counts that follow it", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("queue", queue(["a"]));
  clock.pass(10);
  publisher.publish("queue", queue(["b"]));
  clock.pass(10);
  publisher.publish("queue", queue(["b"], 1));
  clock.pass(80);
  expect(sent.at(-1)).toMatchObject({ running: [{ operation_id: "b" }], counts: { completed: 1 } });
});

test("a pause is told at once, even within a burst", () => {
  const { sent, publisher } = setUp();
  publisher.publish("queue", queue(["a"]));
  publisher.publish("queue", queue(["b"]));
  publisher.publish("queue", { ...queue(["b"]), state: "paused" });
  expect(sent.map(({ state }) => state)).toEqual(["running", "paused"]);
});

test("flush sends what waits, and nothing twice", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("scan", reading(1));
  publisher.publish("scan", reading(2));
  publisher.flush();
  publisher.flush();
  clock.pass(5_000);
  expect(sent.map(({ files_done }) => files_done)).toEqual([1, 2]);
});

test("a clock that is set back silences no topic", () => {
  const { clock, sent, publisher } = setUp();
  publisher.publish("scan", reading(1));
  clock.setBack(3_600_000);
  publisher.publish("scan", reading(2));
  expect(sent).toHaveLength(2);
});
