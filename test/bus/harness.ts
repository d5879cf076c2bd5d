import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect as connectSocket, createServer, type Socket } from "node:net";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import {
  createEmbeddedBroker,
  type EmbeddedBroker,
  type EmbeddedBrokerOptions,
} from "../../src/bus/broker.ts";
import { type Bus, type BusExtension, clientIdOf, createBus } from "../../src/bus/bus.ts";
import type { CommandHandlers } from "../../src/bus/commands.ts";
import type { Transport } from "../../src/bus/connection.ts";
import { type BusLog, type Clock, systemClock } from "../../src/bus/ports.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { AppError } from "../../src/errors.ts";
import type { CommandRecord, CommandStore } from "../../src/store/ports.ts";
import { untroubled } from "../fixtures/operation.ts";

export const base = "tomekeeper/main";
export const nodeId = "7d444840-9dc0-11d1-b245-5ffdce74fad2";

export interface LogLines extends BusLog {
  readonly lines: readonly string[];
}

export function createLog(): LogLines {
  const lines: string[] = [];
  const at = (level: string) => (message: string) => void lines.push(`${level} ${message}`);
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/** A store that forgets nothing and can be made to fail. */
export class MemoryCommandStore implements CommandStore {
  readonly records = new Map<string, CommandRecord>();
  /** What happened, in order: `put scan t1 open`. */
  readonly calls: string[] = [];
  fails = false;

  async put(record: CommandRecord): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    if (this.fails) throw new AppError("read_only", "The disk is full");
    this.records.set(`${record.command} ${record.transaction}`, structuredClone(record));
    this.calls.push(`put ${record.command} ${record.transaction} ${record.complete ? "complete" : "open"}`);
  }

  get(command: string, transaction: string): CommandRecord | null {
    return this.records.get(`${command} ${transaction}`) ?? null;
  }

  open(): readonly CommandRecord[] {
    return [...this.records.values()].filter((record) => !record.complete);
  }
}

export function operation(id: string, changes: Partial<Operation> = {}): Operation {
  return {
    id,
    kind: "scan",
    priority: "normal",
    scopes: ["books:/"],
    input: {},
    transaction: null,
    state: "queued",
    ...untroubled,
    percent: null,
    attempts: 0,
    createdAt: "2026-01-02T03:04:05.000Z",
    startedAt: null,
    finishedAt: null,
    error: null,
    summary: null,
    ...changes,
  };
}

export function completed(id: string, summary: Record<string, unknown> = {}): Operation {
  return operation(id, { state: "completed", percent: 100, summary });
}

/** Handlers that a test replaces one by one. */
export function handlers(changes: Partial<CommandHandlers> = {}): CommandHandlers {
  const refuse = {
    run: () => {
      throw new AppError("not_found", "Nothing like it");
    },
  };
  return {
    scan: refuse,
    query: { run: () => ({ data: { items: [], total: 0, generation: 1, cached: false } }) },
    book: refuse,
    operations: { run: () => ({ data: { items: [], total: 0 } }) },
    cancel: refuse,
    pause: refuse,
    resume: refuse,
    retry: refuse,
    configure: refuse,
    fetch: refuse,
    match: refuse,
    breaker: refuse,
    diagnose: { run: () => ({ data: { worst: "ok", checks: [] } }) },
    set: refuse,
    organize: refuse,
    undo: refuse,
    verify: refuse,
    history: { run: () => ({ data: { items: [], total: 0 } }) },
    reload: { run: () => ({ data: { applied: [], needs_restart: [] } }) },
    ...changes,
  };
}

interface Message {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly correlationData: string | null;
}

/** An ordinary client that remembers what it heard. */
export interface Listener {
  readonly client: MqttClient;
  readonly messages: readonly Message[];
  /** Resolves with the messages of the topic once `accept` takes them. */
  heard(topic: string, accept: (messages: readonly Message[]) => boolean): Promise<readonly Message[]>;
  /** Answers to this command, parsed, once there are this many. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely
  answers(command: string, count: number): Promise<readonly any[]>;
  command(name: string, payload: unknown, options?: Parameters<MqttClient["publishAsync"]>[2]): Promise<void>;
  close(): Promise<void>;
}

export async function listen(
  url: string,
  options: IClientOptions = {},
  topics: readonly string[] = ["tomekeeper/#"],
): Promise<Listener> {
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0, ...options });
  const messages: Message[] = [];
  const byTopic = new Map<string, Message[]>();
  const waiting = new Set<() => void>();
  client.on("message", (topic, payload, packet) => {
    const correlationData = packet.properties?.correlationData?.toString() ?? null;
    messages.push({ topic, text: payload.toString(), retain: packet.retain, correlationData });
    const ofTopic = byTopic.get(topic) ?? [];
    byTopic.set(topic, ofTopic);
    ofTopic.push({ topic, text: payload.toString(), retain: packet.retain, correlationData });
    for (const look of waiting) look();
  });
  client.on("error", () => {});
  if (topics.length > 0) await client.subscribeAsync([...topics], { qos: 1 });

  const heard: Listener["heard"] = (topic, accept) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(look);
        const seen = messages.map((message) => `${message.topic} ${message.text.slice(0, 200)}`).slice(-30);
        reject(new Error(`waited 15 s for ${topic}; heard:\n${seen.join("\n")}`));
      }, 15_000);
      const look = (): void => {
        const found = byTopic.get(topic) ?? [];
        if (!accept(found)) return;
        clearTimeout(timer);
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });

  return {
    client,
    messages,
    heard,
    answers: async (command, count) => {
      const found = await heard(`${base}/response/${command}`, (all) => all.length >= count);
      return found.map((message) => JSON.parse(message.text));
    },
    command: async (name, payload, publishOptions = {}) => {
      const bytes =
        typeof payload === "string" || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload);
      await client.publishAsync(`${base}/cmd/${name}`, bytes, { qos: 1, ...publishOptions });
    },
    close: () => client.endAsync(true),
  };
}

/** Runs what was registered, last first. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = [];

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

export async function startBroker(
  cleanup: Cleanup,
  changes: Partial<EmbeddedBrokerOptions> = {},
): Promise<EmbeddedBroker> {
  const broker = await createEmbeddedBroker({
    host: "127.0.0.1",
    port: 0,
    wsPort: null,
    users: [],
    tls: null,
    allowPlaintext: false,
    base,
    hubs: { publish: ["homeassistant/status"], read: ["homeassistant"] },
    runnerClientId: clientIdOf(nodeId),
    log: createLog(),
    ...changes,
  });
  cleanup.add(() => broker.close());
  return broker;
}

export interface BusSetup {
  readonly transport: Transport;
  readonly handlers?: Partial<CommandHandlers>;
  readonly store?: CommandStore;
  readonly findOperation?: (id: string) => Operation | null;
  readonly extensions?: readonly BusExtension[];
  readonly log?: BusLog;
  readonly clock?: Clock;
  readonly bootId?: string;
  readonly onOnline?: () => void;
}

/** A bus that is set up and not started. */
export function makeBus(cleanup: Cleanup, setup: BusSetup): Bus {
  const bus = createBus({
    node: "main",
    nodeId,
    bootId: setup.bootId ?? "boot-1",
    transport: setup.transport,
    commandStore: setup.store ?? new MemoryCommandStore(),
    findOperation: setup.findOperation ?? (() => null),
    extensions: setup.extensions ?? [],
    clock: setup.clock ?? systemClock,
    random: () => 0,
    onOnline: setup.onOnline ?? (() => {}),
    newId: randomUUID,
    log: setup.log ?? createLog(),
  });
  bus.handle(handlers(setup.handlers));
  cleanup.add(() => bus.stop());
  return bus;
}

export function external(
  url: string,
  credentials: { username?: string; password?: string } = {},
): Transport & { readonly kind: "url" } {
  return {
    kind: "url",
    url,
    username: credentials.username ?? null,
    password: credentials.password ?? null,
    ca: null,
  };
}

export interface Proxy {
  readonly url: string;
  /** Ends all connections and takes no new ones. */
  cut(): void;
  mend(): void;
}

/** A wire to a broker that can be cut. A connection whose first bytes `hangsUp` takes is ended without a word. */
export async function startProxy(
  cleanup: Cleanup,
  port: number,
  hangsUp: (firstBytes: Buffer) => boolean = () => false,
): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (isCut) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("data", (firstBytes) => {
      if (hangsUp(firstBytes)) {
        socket.destroy();
        return;
      }
      const further = connectSocket(port, "127.0.0.1");
      further.on("error", () => {});
      sockets.add(further);
      further.write(firstBytes);
      socket.pipe(further).pipe(socket);
      socket.once("close", () => further.destroy());
      further.once("close", () => socket.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const cut = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  cleanup.add(() => {
    cut();
    server.close();
  });
  return {
    url: `mqtt://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    cut,
    mend: () => {
      isCut = false;
    },
  };
}

/** A clock that a test turns by hand. */
export class FakeClock implements Clock {
  #now = Date.parse("2026-01-02T03:04:05.000Z");
  #timers: { readonly at: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { at: this.#now + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves time on and runs what is due, in order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = end;
  }

  /** Sets the wall clock back, as a time server may. */
  setBack(ms: number): void {
    this.#now -= ms;
  }
}
