import { expect, test } from "vitest";
import { type Link, Outbox, type OutgoingMessage } from "../../src/bus/outbox.ts";
import { createLog } from "./harness.ts";

/** A connection whose acknowledgements the test gives by hand. */
class ManualLink implements Link {
  readonly sent: string[] = [];
  readonly #unsettled: ((refusal: string | null) => void)[] = [];

  readonly maxInFlight: number;

  constructor(maxInFlight: number) {
    this.maxInFlight = maxInFlight;
  }

  send(message: OutgoingMessage, settled: (refusal: string | null) => void): void {
    this.sent.push(`${message.topic} ${String(message.payload)}`);
    this.#unsettled.push(settled);
  }

  acknowledge(refusal: string | null = null): void {
    this.#unsettled.shift()?.(refusal);
  }

  acknowledgeAll(): void {
    while (this.#unsettled.length > 0) this.acknowledge();
  }
}

const state = (topic: string, payload: string): OutgoingMessage => ({ topic, payload, qos: 1, retain: true });
const event = (payload: string): OutgoingMessage => ({ topic: "event", payload, qos: 1, retain: false });
const line = (payload: string): OutgoingMessage => ({ topic: "log", payload, qos: 0, retain: false });

function makeOutbox(maxMessages = 100, maxBytes = 100_000) {
  const log = createLog();
  return { outbox: new Outbox({ maxMessages, maxBytes, log }), log };
}

test("keeps only the last value of a retained topic while there is no broker", () => {
  const { outbox } = makeOutbox();
  for (let i = 0; i < 1_000; i++) outbox.retain(state("scan", String(i)));
  outbox.retain(state("queue", "q"));
  expect(outbox.size).toBe(2);
  const link = new ManualLink(20);
  outbox.connect(link);
  expect(link.sent).toEqual(["scan 999", "queue q"]);
});

test("sends states before the events and answers that waited, those in order", () => {
  const { outbox } = makeOutbox();
  outbox.push(event("1"));
  outbox.push(event("2"));
  outbox.retain(state("scan", "idle"));
  const link = new ManualLink(20);
  outbox.connect(link);
  expect(link.sent).toEqual(["scan idle", "event 1", "event 2"]);
});

test("drops the oldest events beyond the limit, counts them and says so once", () => {
  const { outbox, log } = makeOutbox(3);
  const settled: string[] = [];
  for (let i = 0; i < 10; i++)
    outbox.push(event(String(i)), (delivered) => settled.push(`${i} ${delivered}`));
  expect(outbox.dropped).toBe(7);
  expect(settled).toEqual(["0 false", "1 false", "2 false", "3 false", "4 false", "5 false", "6 false"]);
  expect(log.lines).toHaveLength(1);
  const link = new ManualLink(20);
  outbox.connect(link);
  expect(link.sent).toEqual(["event 7", "event 8", "event 9"]);
});

test("bounds what waits by bytes too", () => {
  const { outbox } = makeOutbox(1_000, 10_000);
  for (let i = 0; i < 10; i++) outbox.push(event("x".repeat(3_000)));
  expect(outbox.size).toBe(3);
  expect(outbox.dropped).toBe(7);
});

test("never has more in flight than the connection takes", () => {
  const { outbox } = makeOutbox();
  const link = new ManualLink(2);
  outbox.connect(link);
  for (let i = 0; i < 5; i++) outbox.push(event(String(i)));
  expect(link.sent).toHaveLength(2);
  link.acknowledge();
  expect(link.sent).toHaveLength(3);
  link.acknowledgeAll();
  expect(link.sent).toHaveLength(5);
  expect(outbox.size).toBe(0);
});

test("replaces a state that waits behind a full connection by the next one", () => {
  const { outbox } = makeOutbox();
  const link = new ManualLink(1);
  outbox.connect(link);
  for (let i = 0; i < 100; i++) outbox.retain(state("scan", String(i)));
  link.acknowledgeAll();
  expect(link.sent).toEqual(["scan 0", "scan 99"]);
});

test("sends what was not acknowledged again over the next connection, in its order, and tells it once", () => {
  const { outbox } = makeOutbox();
  const first = new ManualLink(20);
  outbox.connect(first);
  const settled: string[] = [];
  for (const name of ["a", "b", "c"]) outbox.push(event(name), () => settled.push(name));
  first.acknowledge();
  outbox.disconnect();
  outbox.push(event("d"));
  const second = new ManualLink(20);
  outbox.connect(second);
  expect(second.sent).toEqual(["event b", "event c", "event d"]);
  // An acknowledgement that comes over the old connection means nothing any more.
  first.acknowledgeAll();
  expect(settled).toEqual(["a"]);
  second.acknowledgeAll();
  expect(settled).toEqual(["a", "b", "c"]);
});

test("publishes every last value again at each connection, the same bytes", () => {
  const { outbox } = makeOutbox();
  outbox.retain(state("info", "i"));
  outbox.retain(state("scan", "s"));
  for (let i = 0; i < 2; i++) {
    const link = new ManualLink(20);
    outbox.connect(link);
    link.acknowledgeAll();
    expect(link.sent).toEqual(["info i", "scan s"]);
    outbox.disconnect();
  }
});

test("says what a broker refuses, counts a refused event as dropped and goes on", () => {
  const { outbox, log } = makeOutbox();
  const link = new ManualLink(1);
  outbox.connect(link);
  const settled: boolean[] = [];
  outbox.push(event("1"), (delivered) => settled.push(delivered));
  outbox.push(event("2"));
  link.acknowledge("Not authorized");
  expect(settled).toEqual([false]);
  expect(outbox.dropped).toBe(1);
  expect(log.lines).toEqual(["warn The broker does not take event: Not authorized"]);
  expect(link.sent).toEqual(["event 1", "event 2"]);
});

test("a log line waits for no connection and pushes no answer out", () => {
  const { outbox } = makeOutbox(10);
  outbox.push(line("early"));
  const link = new ManualLink(1);
  outbox.connect(link);
  for (let i = 0; i < 5; i++) outbox.push(event(String(i)));
  for (let i = 0; i < 50; i++) outbox.push(line(String(i)));
  link.acknowledgeAll();
  expect(link.sent.filter((sent) => sent.startsWith("log"))).toEqual([]);
  outbox.push(line("now"));
  link.acknowledgeAll();
  expect(link.sent.at(-1)).toBe("log now");
  expect(outbox.dropped).toBe(0);
});

test("drained resolves once everything is acknowledged, and when the connection ends", async () => {
  const { outbox } = makeOutbox();
  const link = new ManualLink(1);
  outbox.connect(link);
  outbox.push(event("1"));
  outbox.push(event("2"));
  let isDrained = false;
  const drained = outbox.drained().then(() => {
    isDrained = true;
  });
  link.acknowledge();
  await Promise.resolve();
  expect(isDrained).toBe(false);
  link.acknowledge();
  await drained;
  outbox.push(event("3"));
  const again = outbox.drained();
  outbox.disconnect();
  await again;
  expect(outbox.size).toBe(1);
});
