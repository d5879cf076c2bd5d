import { type EventEmitter, once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, isIP, type Server, type Socket } from "node:net";
import { type Duplex, duplexPair } from "node:stream";
import { createServer as createTlsServer } from "node:tls";
import { Aedes, type Client, type PublishPacket } from "aedes";
import { AppError } from "../errors.ts";
import {
  type AccessRules,
  type BrokerUser,
  isCommandTopic,
  mayPublish,
  maySubscribe,
  type Role,
  roleOf,
} from "./broker-access.ts";
import { type Deliveries, followDeliveries } from "./broker-deliveries.ts";
import type { WebSocketListener } from "./broker-websocket.ts";
import { limitPackets } from "./packet-limit.ts";
import type { BusLog } from "./ports.ts";

export interface EmbeddedBrokerOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** For MQTT over WebSocket; null for none. */
  readonly wsPort: number | null;
  readonly users: readonly BrokerUser[];
  /** Paths of PEM files. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  readonly allowPlaintext: boolean;
  readonly base: string;
  readonly hubs: AccessRules["hubs"];
  /** The client id of the runner itself, which nobody else may take, nor one that begins with it. */
  readonly runnerClientId: string;
  readonly log: BusLog;
}

export interface EmbeddedBroker {
  readonly port: number;
  /** Of MQTT over WebSocket; null where there is none. */
  readonly wsPort: number | null;
  /** Without credentials, with a host that a client on this machine can use. */
  readonly url: string;
  /**
   * A connection for the runner itself, inside this process: whoever has it may publish state. It needs no
   * password, so there is none that could leak.
   */
  readonly open: () => Duplex;
  /** Ends all connections and frees the port. */
  readonly close: () => Promise<void>;
}

const maxPacketBytes = 1_048_576;
const maxConnections = 100;
/** Packets of one client that wait for its login. */
const loginQueueLimit = 100;
/** How long a client may leave what it is sent unread before it is cut off: the others wait behind it. */
const drainTimeoutMs = 2_000;
/** What the runner said last gets this long to reach its readers; a frozen one may miss it. */
const farewellTimeoutMs = 500;
/** From the connection to its CONNECT packet. */
const connectTimeoutMs = 10_000;
/** What a wrong password costs whoever guesses. */
const wrongPasswordDelayMs = 500;

/**
 * Starts a broker for homes without one: MQTT 3.1.1, on this machine only unless users are configured, and
 * with deny-by-default rights. Throws `config_invalid` for a listener that would let strangers in.
 */
export async function createEmbeddedBroker(options: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  refuseOpenListener(options);
  const pems = options.tls === null ? null : await readPems(options.tls);
  const server = createListener(options, pems);
  const aedes = await Aedes.createBroker({
    queueLimit: loginQueueLimit,
    drainTimeout: drainTimeoutMs,
    connectTimeout: connectTimeoutMs,
    maxClientsIdLength: 64,
  });
  const sockets = new Set<Socket>();
  const runnerStreams = new WeakSet<Duplex>();
  const fromRunner = followDeliveries(aedes, (client) => runnerStreams.has(client.conn));
  guard(aedes, options, runnerStreams, fromRunner);
  server.maxConnections = maxConnections;
  // Before TLS is agreed on too: a connection that hangs there would hold `close` up.
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.setKeepAlive(true, 30_000);
  });
  const take = (stream: Duplex): void => {
    limitPackets(stream, maxPacketBytes, () => {
      options.log.warn(
        `A client of the embedded broker was cut off: a packet of more than ${maxPacketBytes} bytes`,
      );
    });
    aedes.handle(stream);
  };
  server.on(options.tls === null ? "connection" : "secureConnection", take);
  let webSockets: WebSocketListener | null = null;
  try {
    await listen(server, options);
    webSockets = await listenToPages(options, pems, take);
  } catch (error) {
    server.close();
    await closed(aedes);
    throw error;
  }
  server.on("error", (error) => options.log.error(`The embedded broker's listener: ${error.message}`));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : options.port;
  return {
    port,
    wsPort: webSockets?.port ?? null,
    url: `${options.tls === null ? "mqtt" : "mqtts"}://${localHost(options.host)}:${port}`,
    open: () => {
      const [ours, theirs] = duplexPair();
      // Unlike those of a socket, the ends of a pair do not know when the other one is gone.
      ours.once("close", () => theirs.destroy());
      theirs.once("close", () => ours.destroy());
      runnerStreams.add(theirs);
      aedes.handle(theirs);
      return ours;
    },
    close: async () => {
      // Closing the broker leaves the listener open, and closing the listener leaves the connections.
      const stopped = once(server, "close");
      server.close();
      await fromRunner.settled(farewellTimeoutMs);
      await closed(aedes);
      await webSockets?.close();
      for (const socket of sockets) socket.destroy();
      await stopped;
    },
  };
}

function refuseOpenListener({ host, users, tls, allowPlaintext }: EmbeddedBrokerOptions): void {
  if (isLoopback(host)) return;
  if (users.length === 0) {
    throw new AppError(
      "config_invalid",
      `mqtt.embedded.host is ${host}, which others can reach: name mqtt.embedded.users, or use 127.0.0.1`,
    );
  }
  if (tls === null && !allowPlaintext) {
    throw new AppError(
      "config_invalid",
      `mqtt.embedded.host is ${host}, where passwords would travel in the clear: set mqtt.embedded.tls, ` +
        `or mqtt.embedded.allow_plaintext: true in a network that you trust`,
    );
  }
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/i, "");
  return plain === "localhost" || plain === "::1" || (isIP(plain) === 4 && plain.startsWith("127."));
}

async function listenToPages(
  { host, wsPort, users }: EmbeddedBrokerOptions,
  tls: Pems | null,
  onStream: (stream: Duplex) => void,
): Promise<WebSocketListener | null> {
  if (wsPort === null) return null;
  const { listenToWebSockets } = await import("./broker-websocket.ts");
  try {
    return await listenToWebSockets({
      host,
      port: wsPort,
      tls,
      maxConnections,
      maxPacketBytes,
      hasUsers: users.length > 0,
      onStream,
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError(
      "config_invalid",
      `The embedded broker cannot listen for WebSockets on ${host}:${wsPort}: ${why}. Set another mqtt.embedded.ws_port (0 for any that is free), or null for none`,
      { cause },
    );
  }
}

interface Pems {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** One after the other: where both are missing, the same one is named every time. */
async function readPems(tls: NonNullable<EmbeddedBrokerOptions["tls"]>): Promise<Pems> {
  return { cert: await readPem("cert", tls.cert), key: await readPem("key", tls.key) };
}

function createListener({ tls }: EmbeddedBrokerOptions, pems: Pems | null): Server {
  if (tls === null || pems === null) return createServer({ noDelay: true });
  try {
    return createTlsServer({ ...pems, handshakeTimeout: connectTimeoutMs, noDelay: true });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError(
      "config_invalid",
      `mqtt.embedded.tls: ${tls.cert} and ${tls.key} are no certificate and its key in PEM: ${why}`,
      { cause: error },
    );
  }
}

async function readPem(key: "cert" | "key", file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("config_invalid", `mqtt.embedded.tls.${key} cannot be read: ${why}`, { cause: error });
  }
}

async function listen(server: Server, { host, port }: EmbeddedBrokerOptions): Promise<void> {
  const listening = once(server, "listening");
  server.listen({ host, port });
  try {
    await listening;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError(
      "config_invalid",
      `The embedded broker cannot listen on ${host}:${port}: ${why}. Set another mqtt.embedded.port (0 for ` +
        `any that is free), or mqtt.url if a broker is running there already`,
      { cause: error },
    );
  }
}

function localHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return isIP(host) === 6 ? `[${host}]` : host;
}

function closed(aedes: Aedes): Promise<void> {
  return new Promise((resolve) => aedes.close(resolve));
}

/** Puts the rights in force. */
function guard(
  aedes: Aedes,
  options: EmbeddedBrokerOptions,
  runnerStreams: WeakSet<Duplex>,
  fromRunner: Deliveries,
): void {
  const { log, users } = options;
  const roles = new WeakMap<Client, Role>();

  aedes.preConnect = (_client, packet, done) => {
    // No sessions: what is queued for a client that is away would grow without a bound, and is gone with
    // this process anyhow. State is retained; whoever needs every event while away uses a real broker.
    packet.clean = true;
    done(null, true);
  };

  aedes.authenticate = (client, username, password, done) => {
    const role = runnerStreams.has(client.conn)
      ? "runner"
      : roleOf(users, username, password, isLoopback(addressOf(client)));
    if (role !== null && (role === "runner" || !client.id.startsWith(options.runnerClientId))) {
      roles.set(client, role);
      done(null, true);
      return;
    }
    log.warn(`The embedded broker refused a client at ${addressOf(client)}`);
    setTimeout(() => done(null, false), wrongPasswordDelayMs);
  };

  // Refusing a publish would end the connection, and with it everything else that a client does, the hub's
  // for one. So it is acknowledged as MQTT 3.1.1 asks for, and led to a topic that nobody can read.
  aedes.authorizePublish = (client, packet, done) => {
    const problem = client === null ? null : publishProblem(roles.get(client), packet, options);
    if (problem !== null) {
      log.warn(
        `The embedded broker dropped a message of ${quoted(client?.id ?? "")} on ${quoted(packet.topic)}: ${problem}`,
      );
      divert(packet);
    }
    if (client !== null && roles.get(client) === "runner") fromRunner.began();
    done(null);
  };

  aedes.authorizeSubscribe = (client, subscription, done) => {
    const role = roles.get(client);
    const isAllowed = role !== undefined && maySubscribe(role, subscription.topic, options);
    if (!isAllowed) {
      log.warn(`The embedded broker refused ${quoted(client.id)} to read ${quoted(subscription.topic)}`);
    }
    done(null, isAllowed ? subscription : null);
  };

  // Without a listener an error inside the broker would end the process.
  const errors: EventEmitter = aedes;
  errors.on("error", (error: Error) => log.error(`The embedded broker: ${error.message}`));
  aedes.on("clientError", (client, error) =>
    log.debug(`A client of the embedded broker (${quoted(client.id)}): ${error.message}`),
  );
  aedes.on("connectionError", (_client, error) =>
    log.debug(`A connection to the embedded broker: ${error.message}`),
  );
}

function publishProblem(
  role: Role | undefined,
  packet: PublishPacket,
  options: EmbeddedBrokerOptions,
): string | null {
  if (role === undefined || !mayPublish(role, packet.topic, options)) return "it has no right to";
  // With MQTT 3.1.1 a live message does not say that it is retained, so the runner could not tell.
  if (packet.retain && packet.payload.length > 0 && isCommandTopic(packet.topic, options.base)) {
    return "a retained command is never executed, send it without the retain flag";
  }
  return null;
}

function divert(packet: PublishPacket): void {
  packet.topic = "$dropped";
  packet.payload = Buffer.alloc(0);
  packet.retain = false;
}

function addressOf(client: Client): string {
  return "remoteAddress" in client.conn && typeof client.conn.remoteAddress === "string"
    ? client.conn.remoteAddress
    : "";
}

/** What a stranger named, fit for a log line. */
function quoted(name: string): string {
  return JSON.stringify(name.slice(0, 100));
}
