import type { Operation } from "../domain/operation.ts";
import type { CommandStore } from "../store/ports.ts";
import { BusClient } from "./client.ts";
import { type CommandHandlers, Commands } from "./commands.ts";
import type { Connection, IncomingMessage, Transport } from "./connection.ts";
import { Outbox, type OutgoingMessage } from "./outbox.ts";
import type { eventTypes } from "./payloads.ts";
import type { BusLog, Clock } from "./ports.ts";
import { Presence, type PresenceWords } from "./presence.ts";
import { createStatePublisher } from "./state.ts";
import type { StateBody, StateKey } from "./topics.ts";

/** What a plugin adds to the bus. */
export interface BusExtension {
  /** Exact topics to listen to, a hub's birth message for one. */
  readonly listensTo: readonly {
    readonly topic: string;
    readonly onMessage: (payload: Buffer, isRetained: boolean) => void;
  }[];
  /** Retained messages that are published at every connection, before the runner says that it is online. */
  readonly announces: () => readonly { readonly topic: string; readonly payload: string }[];
  /** The broker has all of them. */
  readonly delivered: () => void;
  /** Topics of its own that say whether the runner is there; read once, when the bus starts. */
  readonly presences: readonly PresenceWords[];
}

interface BusOptions {
  /** `[a-z0-9_-]{1,64}`: the topics are below `tomekeeper/<node>`. */
  readonly node: string;
  /** The UUID of the data folder: the client id is made of it. */
  readonly nodeId: string;
  readonly bootId: string;
  readonly transport: Transport;
  readonly commandStore: CommandStore;
  /** An operation that the queue or its store knows. */
  readonly findOperation: (id: string) => Operation | null;
  readonly extensions: readonly BusExtension[];
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** At every connection, before the state goes out: for state that tells of the connection itself. */
  readonly onOnline: () => void;
  readonly newId: () => string;
  readonly log: BusLog;
}

interface BusEvent {
  readonly event_type: (typeof eventTypes)[number];
  /** Its attributes, in the wire's spelling. */
  readonly [attribute: string]: unknown;
}

interface BusStatus {
  readonly connected: boolean;
  readonly reconnects: number;
  readonly outbox: number;
  readonly dropped: number;
}

/** The runner's side of MQTT. Whatever is published before `start` goes out with the first connection. */
export interface Bus {
  /** Names who runs the commands. Once, before `start`. */
  handle(handlers: CommandHandlers): void;
  /**
   * Connects, and takes up what an earlier run still owes an answer: operations that ended meanwhile must be
   * findable by now. Resolves when the runner is online, or after 5 s without a broker; it goes on trying.
   * Throws only where `handle` was forgotten.
   */
  start(): Promise<void>;
  /** Sends what can be sent, says `offline` and disconnects. Takes at most 5 s, whatever the broker does. */
  stop(): Promise<void>;
  publishState<K extends StateKey>(key: K, body: StateBody<K>): void;
  publishEvent(event: BusEvent): void;
  /** A retained message of a plugin's own topics. */
  publishRetained(topic: string, payload: string): void;
  /** A message of a plugin's own topics, once. */
  publishOnce(topic: string, payload: string): void;
  /** Sends all announcements, availability and state again: somebody has lost what was known. */
  repeat(): void;
  /** Best effort. `message` must hold no secret. */
  publishLog(level: string, message: string): void;
  /** To be called for every operation that ends. */
  operationEnded(operation: Operation): void;
  status(): BusStatus;
}

/** The MQTT client id of the runner with this data folder, the same for all its life. */
export function clientIdOf(nodeId: string): string {
  return `tomekeeper_${nodeId}`;
}

const startTimeoutMs = 5_000;
const commandsTimeoutMs = 1_000;
const drainTimeoutMs = 1_500;
const farewellTimeoutMs = 1_000;
const waitingMessages = 2_000;
const waitingBytes = 16 * 1_048_576;
const longestLogLine = 2_000;

export function createBus(options: BusOptions): Bus {
  const { clock, log, bootId } = options;
  const base = `tomekeeper/${options.node}`;
  const outbox = new Outbox({ maxMessages: waitingMessages, maxBytes: waitingBytes, log });
  const state = createStatePublisher({ base, bootId, clock, send: (message) => outbox.retain(message) });
  let commands: Commands | null = null;
  let firstUp: () => void = () => {};
  /** The one that is online now. */
  let up: Connection | null = null;
  let presences: readonly Presence[] = [];
  const seqs = { event: 0, log: 0 };

  const client = new BusClient({
    transport: options.transport,
    clientId: clientIdOf(options.nodeId),
    will: { topic: `${base}/availability`, payload: "offline" },
    clock,
    random: options.random,
    log,
    onMessage: receive,
    onUp: async (connection) => {
      await subscribe(connection);
      await announce(connection);
    },
    onReady: (connection) => {
      options.onOnline();
      up = connection;
      outbox.connect(connection);
      firstUp();
      sayHere(connection);
    },
    onDown: () => {
      up = null;
      outbox.disconnect();
      for (const presence of presences) presence.set(false);
    },
  });

  function receive(message: IncomingMessage): void {
    if (message.topic.startsWith(`${base}/cmd/`)) {
      commands?.receive(message);
      return;
    }
    for (const { topic, onMessage } of options.extensions.flatMap(({ listensTo }) => listensTo)) {
      if (topic === message.topic) onMessage(message.payload, message.retain);
    }
  }

  /** Commands must be heard before the runner says that it is online; what plugins listen to may fail. */
  async function subscribe(connection: Connection): Promise<void> {
    await connection.subscribe([`${base}/cmd/+`]);
    for (const { topic } of options.extensions.flatMap(({ listensTo }) => listensTo)) {
      await connection.subscribe([topic]).catch((error: unknown) => {
        log.warn(`The broker is no help for a plugin: ${error instanceof Error ? error.message : error}`);
      });
    }
  }

  /** Discovery, then availability; all state follows. */
  async function announce(connection: Connection): Promise<void> {
    for (const extension of options.extensions) {
      let isTaken = true;
      for (const message of extension.announces()) {
        isTaken = (await deliver(connection, { ...message, qos: 1, retain: true }, log)) && isTaken;
      }
      if (isTaken) extension.delivered();
    }
    const online = { topic: `${base}/availability`, payload: "online" };
    await deliver(connection, { ...online, qos: 1, retain: true }, log);
  }

  async function repeat(): Promise<void> {
    const connection = up;
    if (connection === null) return;
    await announce(connection);
    if (connection !== up) return;
    outbox.repeat();
    sayHere(connection);
  }

  /** When the broker has all that is to be known. */
  function sayHere(connection: Connection): void {
    void outbox.drained().then(() => {
      if (up === connection) for (const presence of presences) presence.set(true);
    });
  }

  function createPresences(): readonly Presence[] {
    const words = options.extensions.flatMap((extension) => extension.presences);
    return words.map((each, index) => {
      const clientId = `${clientIdOf(options.nodeId)}_${index + 1}`;
      return new Presence({ ...options, ...each, clientId });
    });
  }

  async function said(connection: Connection, message: OutgoingMessage): Promise<void> {
    await deliver(connection, message, log);
  }

  function publish(topic: "event" | "log", qos: 0 | 1, body: object): void {
    const stamp = { ts: new Date(clock.now()).toISOString(), boot_id: bootId, seq: ++seqs[topic] };
    const payload = JSON.stringify({ ...body, ...stamp });
    outbox.push({ topic: `${base}/${topic}`, payload, qos, retain: false });
  }

  return {
    handle: (handlers) => {
      commands = new Commands({
        base,
        store: options.commandStore,
        findOperation: options.findOperation,
        handlers,
        clock,
        newId: options.newId,
        log,
        send: (message, settled) => outbox.push(message, settled),
        // Without a connection nothing drains, and nothing may wait for it either.
        isCongested: () => client.connected && outbox.fill > 0.5,
      });
    },
    start: async () => {
      if (commands === null) throw new Error("handle() comes before start()");
      commands.resume();
      const online = new Promise<void>((resolve) => {
        firstUp = resolve;
      });
      presences = createPresences();
      for (const presence of presences) presence.start();
      client.start();
      await within(online, startTimeoutMs, clock);
    },
    stop: async () => {
      if (commands !== null) await within(commands.stop(), commandsTimeoutMs, clock);
      state.flush();
      await within(outbox.drained(), drainTimeoutMs, clock);
      outbox.giveUpDraining();
      if (commands !== null) await within(commands.recorded(), commandsTimeoutMs, clock);
      const offline = { topic: `${base}/availability`, payload: "offline", qos: 1, retain: true } as const;
      await Promise.all([
        ...presences.map((presence) => presence.stop(farewellTimeoutMs)),
        client.stop((connection) => within(said(connection, offline), farewellTimeoutMs, clock)),
      ]);
    },
    publishState: (key, body) => state.publish(key, body),
    publishEvent: (event) => publish("event", 1, event),
    publishRetained: (topic, payload) => outbox.retain({ topic, payload, qos: 1, retain: true }),
    publishOnce: (topic, payload) => outbox.push({ topic, payload, qos: 1, retain: false }),
    // Where the connection ends meanwhile, the next one begins with all of it.
    repeat: () => void repeat().catch(() => {}),
    publishLog: (level, message) => publish("log", 0, { level, message: message.slice(0, longestLogLine) }),
    operationEnded: (operation) => commands?.operationEnded(operation),
    status: () => ({
      connected: client.connected,
      reconnects: client.reconnects,
      outbox: outbox.size,
      dropped: outbox.dropped,
    }),
  };
}

/** Whether the broker has taken it; throws when the connection ends first. */
async function deliver(connection: Connection, message: OutgoingMessage, log: BusLog): Promise<boolean> {
  const settled = new Promise<string | null>((resolve) => connection.send(message, resolve));
  const ended = connection.closed.then(() => {
    throw new Error("the connection ended");
  });
  const refusal = await Promise.race([settled, ended]);
  if (refusal !== null) log.warn(`The broker does not take ${message.topic}: ${refusal}`);
  return refusal === null;
}

/** Waits for it, but no longer than this; an error of it is left to whoever owns it. */
async function within(promise: Promise<void>, timeoutMs: number, clock: Clock): Promise<void> {
  let cancel: () => void = () => {};
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(timeoutMs, resolve);
  });
  await Promise.race([promise.catch(() => {}), late]);
  cancel();
}
