import { readFile } from "node:fs/promises";
import { createEmbeddedBroker } from "../bus/broker.ts";
import type { AccessRules } from "../bus/broker-access.ts";
import { clientIdOf } from "../bus/bus.ts";
import type { Transport } from "../bus/connection.ts";
import type { BusLog } from "../bus/ports.ts";
import type { Config } from "../config/schema.ts";
import { AppError } from "../errors.ts";
import { withoutLogin } from "./diagnosis.ts";

export interface OpenTransport {
  readonly transport: Transport;
  /** Of the broker, without credentials. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

interface TransportOptions {
  readonly config: Config;
  readonly base: string;
  readonly nodeId: string;
  /** What hubs need beside our own topics, at the embedded broker. */
  readonly hubs: AccessRules["hubs"];
  readonly log: BusLog;
}

/** The way to the configured broker, or one of our own where none is configured. Throws `config_invalid`. */
export async function openTransport({
  config,
  base,
  nodeId,
  hubs,
  log,
}: TransportOptions): Promise<OpenTransport> {
  const { url, username, password, ca, embedded } = config.mqtt;
  if (url !== null) {
    const authority = ca === null ? null : await readAuthority(ca);
    const transport = { kind: "url", url, username, password, ca: authority } as const;
    return { transport, url: withoutLogin(url), close: async () => {} };
  }
  const broker = await createEmbeddedBroker({
    host: embedded.host,
    port: embedded.port,
    wsPort: embedded.ws_port,
    users: embedded.users,
    tls: embedded.tls,
    allowPlaintext: embedded.allow_plaintext,
    base,
    hubs,
    runnerClientId: clientIdOf(nodeId),
    log,
  });
  if (broker.wsPort !== null) log.info(`MQTT over WebSocket is spoken on port ${broker.wsPort}`);
  return { transport: { kind: "stream", open: broker.open }, url: broker.url, close: broker.close };
}

async function readAuthority(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new AppError("config_invalid", `mqtt.ca: ${file} cannot be read: ${reason}`, { cause: error });
  }
}
