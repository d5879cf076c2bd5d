import { afterEach, describe, expect, test } from "vitest";
import type { StateBody } from "../../src/bus/topics.ts";
import {
  type Mosquitto,
  type MosquittoSettings,
  mosquittoPath,
  startMosquitto,
} from "../fixtures/mosquitto.ts";
import { base, Cleanup, createLog, external, listen, makeBus, startProxy } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const settings: StateBody<"settings"> = {
  scan_concurrency: 4,
  operation_concurrency: 2,
  organize_strategy: "auto",
  log_level: "info",
};

async function mosquitto(options: MosquittoSettings = {}): Promise<Mosquitto> {
  const broker = await startMosquitto(options);
  cleanup.add(() => broker.stop());
  return broker;
}

async function client(url: string, options: Parameters<typeof listen>[1] = {}, topics?: readonly string[]) {
  const listener = await listen(url, options, topics);
  cleanup.add(() => listener.close());
  return listener;
}

describe.skipIf(mosquittoPath === null)("with Mosquitto (needs it installed)", () => {
  test("speaks MQTT 5, and answers on the response topic with the correlation data", async () => {
    const broker = await mosquitto();
    const log = createLog();
    const bus = makeBus(cleanup, { transport: external(broker.url), log });
    await bus.start();
    expect(log.lines).toContain("info Connected to the broker with MQTT 5");
    const listener = await client(broker.url, { protocolVersion: 5 });
    const properties = { responseTopic: "tomekeeper/clients/7", correlationData: Buffer.from("seven") };
    await listener.command("query", { transaction: "t1" }, { properties });
    const [answer] = await listener.heard("tomekeeper/clients/7", (all) => all.length === 1);
    expect(answer?.correlationData).toBe("seven");
    const [usual] = await listener.heard(`${base}/response/query`, (all) => all.length === 1);
    expect(usual?.text).toBe(answer?.text);
  });

  test("does not execute a retained command, neither live nor at each reconnect, and leaves it alone", async () => {
    const broker = await mosquitto();
    const log = createLog();
    const bus = makeBus(cleanup, { transport: external(broker.url), log });
    await bus.start();
    const listener = await client(broker.url, {}, [`${base}/response/#`, `${base}/availability`]);
    await listener.command("query", { transaction: "live" }, { retain: true });
    await listener.command("query", { transaction: "t1" });
    await listener.answers("query", 1);
    await bus.stop();
    const again = makeBus(cleanup, { transport: external(broker.url), log });
    await again.start();
    await listener.command("query", { transaction: "t2" });
    const answers = await listener.answers("query", 2);
    expect(answers.map(({ transaction }) => transaction)).toEqual(["t1", "t2"]);
    expect(log.lines.filter((line) => line.includes("was not executed"))).toHaveLength(2);
    const late = await client(broker.url, {}, [`${base}/cmd/#`]);
    await late.heard(`${base}/cmd/query`, (all) => all[0]?.retain === true);
  });

  test("goes on trying with bad credentials, and is there once they are right", async () => {
    const broker = await mosquitto({ passwords: { tomekeeper: "old" } });
    const log = createLog();
    const credentials = { username: "tomekeeper", password: "new" };
    const bus = makeBus(cleanup, { transport: external(broker.url, credentials), log });
    const started = bus.start();
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(bus.status().connected).toBe(false);
    await broker.stop();
    await broker.start({ passwords: { tomekeeper: "new" } });
    await started;
    const listener = await client(broker.url, credentials);
    await listener.heard(`${base}/availability`, (all) => all.at(-1)?.text === "online");
    expect(
      log.lines.filter((line) => line.startsWith("warn No connection to the broker: ")).length,
    ).toBeGreaterThan(0);
    expect(log.lines.join("\n")).not.toContain("new");
  });

  test("publishes everything again to a broker that was restarted without its memory, and doubles nothing", async () => {
    const broker = await mosquitto();
    const bus = makeBus(cleanup, { transport: external(broker.url) });
    bus.publishState("settings", settings);
    await bus.start();
    const before = await client(broker.url);
    const [first] = await before.heard(`${base}/settings`, (all) => all.length === 1);
    await broker.stop();
    bus.publishEvent({ event_type: "scan_finished", operation_id: "while-away" });
    bus.publishState("diagnostics", { worst: "ok", checks: [] });
    await broker.start();
    const after = await client(broker.url);
    const [again] = await after.heard(`${base}/settings`, (all) => all.length > 0);
    expect(again?.text).toBe(first?.text);
    await after.heard(`${base}/diagnostics`, (all) => all.length === 1);
    await after.heard(`${base}/availability`, (all) => all.at(-1)?.text === "online");
    expect(bus.status()).toMatchObject({ connected: true, reconnects: 1, dropped: 0 });
    await after.command("query", { transaction: "t1" });
    await after.answers("query", 1);
    await expect.poll(() => bus.status().outbox).toBe(0);
  });

  test("what was published while the wire was cut arrives exactly once, in order", async () => {
    const broker = await mosquitto();
    const wire = await startProxy(cleanup, broker.port);
    const bus = makeBus(cleanup, { transport: external(wire.url) });
    await bus.start();
    const listener = await client(broker.url);
    wire.cut();
    await listener.heard(`${base}/availability`, (all) => all.at(-1)?.text === "offline");
    for (let i = 0; i < 50; i++) bus.publishEvent({ event_type: "book_added", book: { id: String(i) } });
    expect(bus.status()).toMatchObject({ connected: false, outbox: 50 });
    wire.mend();
    const events = await listener.heard(`${base}/event`, (all) => all.length >= 50);
    await expect.poll(() => bus.status().outbox).toBe(0);
    expect(events.map(({ text }) => JSON.parse(text).book.id)).toEqual(
      Array.from({ length: 50 }, (_, i) => String(i)),
    );
  });

  test("a broker that stands still holds up neither the runner nor its end", async () => {
    const broker = await mosquitto();
    const bus = makeBus(cleanup, { transport: external(broker.url) });
    await bus.start();
    broker.freeze();
    for (let i = 0; i < 10_000; i++) bus.publishEvent({ event_type: "book_added", book: { id: String(i) } });
    bus.publishState("settings", settings);
    expect(bus.status().outbox).toBeLessThanOrEqual(2_021);
    expect(bus.status().dropped).toBeGreaterThan(0);
    await bus.stop();
    expect(bus.status().connected).toBe(false);
  });
});
