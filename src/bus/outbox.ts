import type { BusLog } from "./ports.ts";

export interface OutgoingMessage {
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  /** MQTT 5 only. */
  readonly correlationData?: Buffer;
  /** MQTT 5 only: after how many seconds the broker forgets it. */
  readonly expirySeconds?: number;
}

/** One live connection, as the outbox sees it. */
export interface Link {
  /** How many unacknowledged messages the broker takes at once. */
  readonly maxInFlight: number;
  /**
   * `settled` is called when the broker has acknowledged the message, with why it does not want it where
   * that is so, and not at all when the connection ends first.
   */
  send(message: OutgoingMessage, settled: (refusal: string | null) => void): void;
}

interface OutboxOptions {
  /** Bounds of the events and answers that wait. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  readonly log: BusLog;
}

interface Waiting {
  readonly message: OutgoingMessage;
  readonly settled: ((delivered: boolean) => void) | undefined;
  readonly sizeBytes: number;
}

/**
 * What is to be sent, with or without a broker: the last value per retained topic, and a bounded ring of
 * events and answers from which the oldest are given up and counted. Nothing here ever blocks a caller.
 * The MQTT client's own offline queue is not used: it is unbounded and would send every old state in turn.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** Last values, kept for good: a broker may come back without its memory. */
  readonly #retained = new Map<string, OutgoingMessage>();
  /** Topics of `#retained` that the broker does not have yet. */
  readonly #unsent = new Set<string>();
  #ring: Ring = new Ring();
  /** In the order in which they were sent; `null` stands for a state. */
  #inFlight = new Map<number, Waiting | null>();
  #nextFlight = 0;
  #dropped = 0;
  #link: Link | null = null;
  readonly #waitingForDrain = new Set<() => void>();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Messages that the broker has not acknowledged. */
  get size(): number {
    return this.#unsent.size + this.#ring.length + this.#inFlight.size;
  }

  /** How full the ring of events and answers is, 0 to 1. */
  get fill(): number {
    return Math.max(
      this.#ring.length / this.#options.maxMessages,
      this.#ring.sizeBytes / this.#options.maxBytes,
    );
  }

  /** Events and answers given up since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Makes this the last value of its topic; one of the same topic that still waits is replaced. */
  retain(message: OutgoingMessage): void {
    this.#retained.set(message.topic, message);
    this.#unsent.add(message.topic);
    this.#send();
  }

  /**
   * Sends an event, an answer or (QoS 0) a log line. `settled` is called once: with true when the broker has
   * acknowledged it, with false when it is given up. A log line is only worth sending now: it never waits for
   * a connection and never pushes an answer out.
   */
  push(message: OutgoingMessage, settled?: (delivered: boolean) => void): void {
    if (message.qos === 0 && (this.#link === null || this.fill > 0.1)) return;
    const sizeBytes = message.topic.length + Buffer.byteLength(message.payload);
    this.#ring.push({ message, settled, sizeBytes });
    this.#send();
    this.#trim();
  }

  /** From now on messages go this way, all last values first: the broker may have been wiped. */
  connect(link: Link): void {
    this.#link = link;
    this.repeat();
  }

  /** Sends all last values again. */
  repeat(): void {
    for (const topic of this.#retained.keys()) this.#unsent.add(topic);
    this.#send();
  }

  /**
   * What was in flight waits again, at the front: whether the broker had it is not known, and QoS 1 is "at
   * least once".
   */
  disconnect(): void {
    this.#link = null;
    const lost = [...this.#inFlight.values()].filter((waiting) => waiting?.message.qos === 1);
    this.#inFlight = new Map();
    this.#ring.putBack(lost.filter((waiting) => waiting !== null));
    this.#trim();
    this.giveUpDraining();
  }

  /** Resolves when the broker has everything, or when there is no connection to send it over. */
  async drained(): Promise<void> {
    if (this.#link === null || this.size === 0) return;
    await new Promise<void>((resolve) => this.#waitingForDrain.add(resolve));
  }

  giveUpDraining(): void {
    for (const resolve of this.#waitingForDrain) resolve();
    this.#waitingForDrain.clear();
  }

  #trim(): void {
    while (this.fill > 1) {
      const oldest = this.#ring.shift();
      if (oldest === null) return;
      oldest.settled?.(false);
      if (this.#dropped++ > 0) continue;
      this.#options.log.warn(
        "More events and answers wait for the broker than are kept: the oldest are dropped",
      );
    }
  }

  #send(): void {
    const link = this.#link;
    if (link === null) return;
    while (this.#link === link && this.#inFlight.size < link.maxInFlight && this.#sendNext(link));
    if (this.size === 0) this.giveUpDraining();
  }

  /** States first: they are what a dashboard shows, and there are few of them. */
  #sendNext(link: Link): boolean {
    const [topic] = this.#unsent;
    const state = topic === undefined ? undefined : this.#retained.get(topic);
    if (topic !== undefined && state !== undefined) {
      this.#unsent.delete(topic);
      this.#transmit(link, state, null);
      return true;
    }
    const waiting = this.#ring.shift();
    if (waiting === null) return false;
    this.#transmit(link, waiting.message, waiting);
    return true;
  }

  #transmit(link: Link, message: OutgoingMessage, waiting: Waiting | null): void {
    const flight = this.#nextFlight++;
    this.#inFlight.set(flight, waiting);
    link.send(message, (refusal) => {
      // An acknowledgement of an earlier connection: the message has been put back already.
      if (this.#link !== link || !this.#inFlight.delete(flight)) return;
      waiting?.settled?.(refusal === null);
      if (refusal !== null) this.#refused(message, waiting, refusal);
      this.#send();
    });
  }

  #refused(message: OutgoingMessage, waiting: Waiting | null, refusal: string): void {
    if (waiting !== null) this.#dropped++;
    // A refused log line would be told with a log line.
    if (message.qos === 1) this.#options.log.warn(`The broker does not take ${message.topic}: ${refusal}`);
  }
}

/** A queue that gives its memory back and knows its size in bytes. */
class Ring {
  #items: (Waiting | null)[] = [];
  #start = 0;
  #sizeBytes = 0;

  get length(): number {
    return this.#items.length - this.#start;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  push(waiting: Waiting): void {
    this.#items.push(waiting);
    this.#sizeBytes += waiting.sizeBytes;
  }

  putBack(first: readonly Waiting[]): void {
    this.#items = [...first, ...this.#items.slice(this.#start)];
    this.#start = 0;
    for (const waiting of first) this.#sizeBytes += waiting.sizeBytes;
  }

  shift(): Waiting | null {
    const first = this.#items[this.#start] ?? null;
    if (first === null) return null;
    this.#items[this.#start++] = null;
    this.#sizeBytes -= first.sizeBytes;
    if (this.#start > 1_024 && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }
}
