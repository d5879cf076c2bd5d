import type { Duplex } from "node:stream";
import { connect, type IClientOptions, type IConnackPacket, type IPublishPacket, MqttClient } from "mqtt";
import type { Link, OutgoingMessage } from "./outbox.ts";
import { sendAtOnce } from "./send-at-once.ts";

/** How to reach a broker. */
export type Transport =
  /** MQTT 5 first, 3.1.1 where the broker refuses it. */
  | {
      readonly kind: "url";
      /** `mqtt://`, `mqtts://`, `ws://` or `wss://`. */
      readonly url: string;
      readonly username: string | null;
      readonly password: string | null;
      /** PEM of the authorities to trust instead of the system's. */
      readonly ca: string | null;
    }
  /** The embedded broker: a stream inside this process, MQTT 3.1.1. */
  | { readonly kind: "stream"; readonly open: () => Duplex };

export type ProtocolVersion = 4 | 5;

export interface IncomingMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** MQTT 5 only. */
  readonly responseTopic: string | null;
  readonly correlationData: Buffer | null;
}

interface ConnectionOptions {
  readonly transport: Transport;
  readonly version: ProtocolVersion;
  readonly clientId: string;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly onMessage: (message: IncomingMessage) => void;
}

/**
 * Why there is no connection. `unreachable`: nobody answered. `version`: this protocol version is refused.
 * `closed`: hung up without a word, as some brokers do at a version that they do not know. `refused`: the
 * broker said no, to the credentials for instance.
 */
export class ConnectFailure extends Error {
  readonly reason: "unreachable" | "version" | "closed" | "refused";

  constructor(reason: ConnectFailure["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

const connectTimeoutMs = 10_000;
const keepaliveSeconds = 30;
/** Larger packets than this are not for us; our own limit for a command's payload is far below. */
const maximumPacketBytes = 1_048_576;
/** Enough to fill a home network, few enough for any broker's receive maximum (Mosquitto's is 20). */
const ownInFlight = 20;
/** What an MQTT packet holds beside topic and payload, generously. */
const packetOverheadBytes = 1_024;

/**
 * One connection to a broker from CONNECT to its end; it never reconnects. The MQTT client's reconnecting is
 * not used: it gives up after bad credentials, keeps its version, and sends again what it kept in an order
 * that is not ours to choose.
 */
export class Connection implements Link {
  /** Resolves at CONNACK, rejects with a `ConnectFailure`. */
  readonly opened: Promise<void>;
  /** Resolves when it is over, however that came; never rejects. */
  readonly closed: Promise<void>;
  readonly #client: MqttClient;
  #connack: IConnackPacket | null = null;
  #lastError: Error | null = null;

  /** Throws where the URL or the certificate cannot be used at all. */
  constructor(options: ConnectionOptions) {
    this.#client = createClient(options);
    const client = this.#client;
    client.on("error", (error) => {
      this.#lastError = error;
      // An error before CONNACK may leave the socket open (a packet that cannot be parsed, for one).
      if (this.#connack === null) client.end(true);
    });
    client.on("message", (topic, payload, packet) => options.onMessage(incoming(topic, payload, packet)));
    this.closed = new Promise((resolve) => client.once("close", () => resolve()));
    this.opened = new Promise((resolve, reject) => {
      client.once("connect", (packet) => {
        this.#connack = packet;
        sendAtOnce(client);
        resolve();
      });
      client.once("close", () => reject(failureOf(this.#lastError)));
    });
    // Whoever does not wait for it (a runner that stops meanwhile) is not to be told by a crash.
    this.opened.catch(() => {});
  }

  /** What ended it, where that is known. */
  get lastError(): Error | null {
    return this.#lastError;
  }

  get maxInFlight(): number {
    return Math.min(ownInFlight, this.#connack?.properties?.receiveMaximum ?? ownInFlight);
  }

  /** QoS 1. Resolves at SUBACK; throws where the broker refuses one of them, or the connection ends. */
  async subscribe(topics: readonly string[]): Promise<void> {
    // Retain as published: a live message with the retain flag is then told from others (it is never run).
    const granted = this.#client.subscribeAsync([...topics], { qos: 1, rap: true, rh: 0, nl: false });
    try {
      await Promise.race([granted, this.#ended()]);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`it does not let us listen to ${topics.join(", ")} (${why})`, { cause: error });
    }
  }

  send(message: OutgoingMessage, settled: (refusal: string | null) => void): void {
    const limit = this.#connack?.properties?.maximumPacketSize;
    const sizeBytes = Buffer.byteLength(message.payload) + packetOverheadBytes;
    if (limit !== undefined && sizeBytes > limit) {
      setImmediate(settled, `it is larger than the ${limit} bytes of a packet that the broker takes`);
      return;
    }
    const properties = {
      ...(message.correlationData === undefined ? {} : { correlationData: message.correlationData }),
      ...(message.expirySeconds === undefined ? {} : { messageExpiryInterval: message.expirySeconds }),
    };
    const { qos, retain } = message;
    this.#client.publish(message.topic, message.payload, { qos, retain, properties }, (error) => {
      if (!error) settled(null);
      // A reason code is the broker's word about this message. Any other error is the end of the connection.
      else if ("code" in error && typeof error.code === "number") settled(error.message);
    });
  }

  /** DISCONNECT, then the end; by force if the broker does not take it in `timeoutMs`. */
  async end(timeoutMs: number): Promise<void> {
    if (this.#connack === null || !this.#client.connected) {
      this.destroy();
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    this.#client.end(false);
    await Promise.race([this.closed, late]);
    clearTimeout(timer);
    this.destroy();
  }

  /** Ends it without a DISCONNECT: the broker publishes the will. */
  destroy(): void {
    this.#client.end(true);
    this.#client.stream.destroy();
  }

  async #ended(): Promise<never> {
    await this.closed;
    throw this.#lastError ?? new Error("the connection ended");
  }
}

function createClient({ transport, version, clientId, will }: ConnectionOptions): MqttClient {
  const options: IClientOptions = {
    clientId,
    protocolVersion: version,
    // A clean session: commands that were sent while nobody listened are not run later, when nobody expects
    // it any more. State is retained, and what was promised to be answered is kept in the store.
    clean: true,
    keepalive: keepaliveSeconds,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    will: { ...will, payload: Buffer.from(will.payload), qos: 1, retain: true },
    ...(version === 5 ? { properties: { maximumPacketSize: maximumPacketBytes } } : {}),
  };
  if (transport.kind === "stream") {
    return new MqttClient(transport.open, { ...options, protocolId: "MQTT" });
  }
  const { url, username, password, ca } = transport;
  return connect(url, {
    ...options,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(ca === null ? {} : { ca }),
  });
}

function incoming(topic: string, payload: Buffer, packet: IPublishPacket): IncomingMessage {
  return {
    topic,
    payload,
    retain: packet.retain,
    responseTopic: packet.properties?.responseTopic ?? null,
    correlationData: packet.properties?.correlationData ?? null,
  };
}

const unsupportedVersionCodes = [1, 0x84];

function failureOf(error: Error | null): ConnectFailure {
  if (error === null) return new ConnectFailure("closed", "the broker closed the connection");
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "number") {
    return new ConnectFailure(unsupportedVersionCodes.includes(code) ? "version" : "refused", error.message);
  }
  if (code === "ECONNRESET" || code === "EPIPE") return new ConnectFailure("closed", error.message);
  if (typeof code === "string") return new ConnectFailure("unreachable", error.message || code);
  // Neither the network's nor the broker's word: an answer that is no MQTT of this version.
  return new ConnectFailure(error.message === "connack timeout" ? "closed" : "version", error.message);
}
