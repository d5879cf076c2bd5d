import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect, type IClientOptions, type MqttClient } from "mqtt";
import { sendAtOnce } from "../bus/send-at-once.ts";
import type { CommandData, CommandName } from "../bus/topics.ts";
import { AppError, type WireErrorCode, wireErrorCodes } from "../errors.ts";

export interface RunnerAddress {
  /** Without a login. */
  readonly url: string;
  readonly node: string;
  readonly username: string | null;
  readonly password: string | null;
  /** File with the certificate, or with that of the authority that signed it. */
  readonly ca: string | null;
  /** The runner's own broker: its certificate is known itself, whatever name stands in it. */
  readonly isOwn: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/** A connection to a runner that was there when it was made. */
export interface RunnerLink {
  readonly url: string;
  /** `tomekeeper/<node>` */
  readonly base: string;
  /**
   * Sends a command and resolves with the data of its first answer, or, given `onAccepted`, with that of the
   * answer after `accepted`. Throws the error of the answer, or `no_runner` when none comes. A lost connection is
   * made again and the command sent again under its transaction, which does nothing twice.
   */
  readonly request: <C extends CommandName>(
    command: C,
    payload: Json,
    onAccepted?: (data: Json) => void,
  ) => Promise<CommandData<C>>;
  /** Hears topics below the base, the retained ones at once. Resolves when they are subscribed. */
  readonly listen: (
    topics: readonly string[],
    heard: (topic: string, payload: unknown) => void,
  ) => Promise<void>;
  readonly close: () => Promise<void>;
}

const limits = {
  /** Until the broker has accepted the connection. */
  connectMs: 5000,
  /** Until the retained `online` has come. */
  availabilityMs: 2000,
  /** Until the first answer to a command. */
  answerMs: 20_000,
  /** Without a connection, while answers are waited for. */
  absenceMs: 30_000,
} as const;

/** Connects and sees that a runner of this node is online; throws `no_runner` otherwise. */
export async function connectToRunner(address: RunnerAddress, limitsMs = limits): Promise<RunnerLink> {
  const base = `tomekeeper/${address.node}`;
  const client = await openClient(address, limitsMs.connectMs);
  const link = createLink(client, address.url, base, limitsMs);
  const online = Promise.withResolvers<string>();
  const timer = setTimeout(() => online.resolve("silent"), limitsMs.availabilityMs);
  try {
    await link.listen(["availability"], (_, payload) => online.resolve(String(payload)));
    const state = await online.promise;
    if (state === "online") return link;
    const what = state === "offline" ? "is offline" : "was never there";
    throw new AppError(
      "no_runner",
      `the runner ${base} ${what} at ${address.url}: start it with \`tomekeeper run\``,
    );
  } catch (error) {
    await link.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A plain connection to the broker. Throws `no_runner` where there is none. */
export async function openClient(
  address: RunnerAddress,
  connectTimeoutMs: number = limits.connectMs,
): Promise<MqttClient> {
  const options: IClientOptions = {
    protocolVersion: 4,
    clientId: `tomekeeper_cli_${randomUUID()}`,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 1000,
    queueQoSZero: false,
    ...(address.username === null ? {} : { username: address.username }),
    ...(address.password === null ? {} : { password: address.password }),
    ...(address.ca === null ? {} : { ca: await readFile(address.ca) }),
    ...(address.isOwn ? { checkServerIdentity: () => undefined } : {}),
  };
  const client = connect(address.url, options);
  client.on("connect", () => sendAtOnce(client));
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", reject);
      client.once("close", () => reject(new Error("the connection was closed")));
    });
    client.removeAllListeners("close");
    client.on("error", () => {});
    return client;
  } catch (error) {
    client.on("error", () => {});
    client.end(true);
    const message = `no broker to talk through at ${address.url} (${reasonOf(error)}): is the runner started, and its login right?`;
    throw new AppError("no_runner", message, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  const causes: readonly unknown[] = error instanceof AggregateError ? error.errors : [error];
  return causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join("; ");
}

/** A command that waits for an answer. */
interface Pending {
  readonly topic: string;
  readonly message: string;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: Error) => void;
}

interface Answer {
  readonly transaction: string;
  readonly status: "accepted" | "ok" | "error";
  readonly data: unknown;
  readonly error: unknown;
}

function createLink(client: MqttClient, url: string, base: string, limitsMs: typeof limits): RunnerLink {
  const pending = new Map<string, Pending>();
  const listeners: {
    readonly topics: ReadonlySet<string>;
    readonly heard: (topic: string, payload: unknown) => void;
  }[] = [];
  /** Some brokers send a retained message only with the first subscription of a connection. */
  const last = new Map<string, unknown>();
  let absence: NodeJS.Timeout | undefined;

  client.on("message", (topic, payload) => {
    const below = topic.slice(base.length + 1);
    const content = parsePayload(payload.toString());
    if (below.startsWith("response/")) {
      if (isAnswer(content)) pending.get(content.transaction)?.answered(content);
      return;
    }
    last.set(below, content);
    for (const { topics, heard } of listeners) if (matches(topics, below)) heard(below, content);
  });
  client.on("close", () => {
    clearTimeout(absence);
    absence = setTimeout(
      () => failAll(`the connection to ${url} was lost and did not come back`),
      limitsMs.absenceMs,
    );
  });
  // Subscriptions are made again by the client itself, before this is called; the commands are ours to repeat.
  client.on("connect", () => {
    clearTimeout(absence);
    for (const { topic, message } of pending.values()) client.publish(topic, message, { qos: 1 });
  });

  function failAll(message: string): void {
    for (const { failed } of pending.values()) failed(new AppError("no_runner", message));
  }

  async function request(
    command: CommandName,
    payload: Json,
    onAccepted?: (data: Json) => void,
  ): Promise<unknown> {
    const transaction = randomUUID();
    await client.subscribeAsync(`${base}/response/${command}`, { qos: 1 });
    const answer = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => {
      answer.reject(
        new AppError("no_runner", `the runner ${base} at ${url} did not answer the command ${command}`),
      );
    }, limitsMs.answerMs);
    let isAccepted = false;
    const topic = `${base}/cmd/${command}`;
    const message = JSON.stringify({ ...payload, transaction });
    pending.set(transaction, {
      topic,
      message,
      failed: answer.reject,
      answered: ({ status, data, error }) => {
        clearTimeout(timer);
        if (status === "error") return answer.reject(errorOf(error, data));
        if (status === "ok" || onAccepted === undefined) return answer.resolve(data);
        if (!isAccepted) onAccepted(isJson(data) ? data : {});
        isAccepted = true;
      },
    });
    try {
      client.publish(topic, message, { qos: 1 });
      return await answer.promise;
    } finally {
      clearTimeout(timer);
      pending.delete(transaction);
    }
  }

  return {
    url,
    base,
    // The runner answers what the contract says; its shape is not checked again here.
    request: request as RunnerLink["request"],
    listen: async (topics, heard) => {
      listeners.push({ topics: new Set(topics), heard });
      for (const [topic, content] of last) if (matches(new Set(topics), topic)) heard(topic, content);
      await client.subscribeAsync(
        topics.map((topic) => `${base}/${topic}`),
        { qos: 1 },
      );
    },
    close: async () => {
      client.removeAllListeners("close");
      clearTimeout(absence);
      failAll("the connection was closed");
      await client.endAsync(!client.connected);
    },
  };
}

function parsePayload(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAnswer(value: unknown): value is Answer {
  return isJson(value) && typeof value["transaction"] === "string" && typeof value["status"] === "string";
}

/** The error of an answer as our own, so that exit codes follow from it. */
function errorOf(error: unknown, data: unknown): AppError {
  if (!isJson(error)) return new AppError("internal", "the runner reported an error without saying which");
  const code = wireErrorCodes.find((known): known is WireErrorCode => known === error["code"]) ?? "internal";
  const details = isJson(error["details"]) ? error["details"] : isJson(data) ? data : undefined;
  return new AppError(code, String(error["message"]), {
    retryable: error["retryable"] === true,
    ...(details === undefined ? {} : { details }),
  });
}

/** Whether a topic is one of these; `breaker/+` stands for all right below `breaker`. */
function matches(topics: ReadonlySet<string>, topic: string): boolean {
  return topics.has(topic) || topics.has(topic.replace(/[^/]+$/, "+"));
}
