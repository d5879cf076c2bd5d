import { connectAsync } from "mqtt";
import type { CommandData, CommandName } from "../bus/topics.ts";
import { AppError } from "../errors.ts";

/** A message below the runner's base, as any client gets it. */
export interface Heard {
  /** Below `<base>/`. */
  readonly topic: string;
  /** Parsed where it is JSON. */
  readonly payload: unknown;
  readonly isRetained: boolean;
}

export interface DemoClient {
  /** Publishes the command and resolves with the data of its last answer. Rejects when `signal` is aborted. */
  readonly ask: <C extends CommandName>(
    command: C,
    payload: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ) => Promise<CommandData<C>>;
  readonly close: () => Promise<void>;
}

interface Answer {
  readonly transaction: string;
  readonly status: "accepted" | "ok" | "error";
  readonly data: unknown;
  readonly error: { readonly message: string } | null;
}

/** Does nothing that `mosquitto_sub` and `mosquitto_pub` could not: hears all of the runner's topics and asks. */
export async function connectDemoClient(
  url: string,
  base: string,
  heard: (message: Heard) => void,
): Promise<DemoClient> {
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 });
  const waiting = new Map<string, (answer: Answer) => void>();
  let asked = 0;
  client.on("message", (topic, bytes, packet) => {
    const message = {
      topic: topic.slice(base.length + 1),
      payload: parse(bytes.toString()),
      isRetained: packet.retain,
    };
    heard(message);
    if (message.topic.startsWith("response/") && isAnswer(message.payload)) {
      waiting.get(message.payload.transaction)?.(message.payload);
    }
  });
  await client.subscribeAsync(`${base}/#`, { qos: 1 });
  return {
    ask: async (command, payload, signal) => {
      const transaction = `demo-${++asked}`;
      const answered = Promise.withResolvers<unknown>();
      waiting.set(transaction, ({ status, data, error }) => {
        if (status === "ok") answered.resolve(data);
        if (status === "error")
          answered.reject(new AppError("internal", error?.message ?? "an error without a word"));
      });
      const ended = () => answered.reject(signal.reason);
      signal.addEventListener("abort", ended, { once: true });
      try {
        signal.throwIfAborted();
        const message = JSON.stringify({ ...payload, transaction });
        await client.publishAsync(`${base}/cmd/${command}`, message, { qos: 1 });
        // The runner answers what the contract says; its shape is not checked again here.
        return (await answered.promise) as never;
      } finally {
        signal.removeEventListener("abort", ended);
        waiting.delete(transaction);
      }
    },
    close: () => client.endAsync(true),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === "object" && value !== null && "transaction" in value && "status" in value;
}
