import type { MqttClient } from "mqtt";
import { ownTopics } from "../app/own-topics.ts";
import { AppError } from "../errors.ts";
import { findNodeId } from "../store/node-id.ts";
import type { CommandLine } from "./command-line.ts";
import { openClient } from "./connection.ts";
import { findBroker } from "./find-runner.ts";
import { configOf, type PlaceFlags } from "./sources.ts";

export interface MqttFlags extends PlaceFlags {
  readonly what: "watch" | "purge";
}

/** Retained messages follow their subscription at once: this long after the last one there are no more. */
const quietMs = 500;

/** `tomekeeper mqtt watch|purge`. */
export async function mqtt(flags: MqttFlags, line: CommandLine): Promise<number> {
  return flags.what === "watch" ? await watch(flags, line) : await purge(flags, line);
}

/** Shows what goes over the bus until interrupted, a line for each message. */
async function watch(flags: MqttFlags, line: CommandLine): Promise<number> {
  const address = findBroker(flags, line);
  const client = await openClient(address);
  const base = `tomekeeper/${address.node}/`;
  client.on("message", (topic, payload, { retain }) => {
    const text = payload.toString();
    if (flags.json) line.out(JSON.stringify({ topic, payload: text, retain }));
    else line.out(`${topic.slice(base.length).padEnd(18)} ${text}`);
  });
  try {
    await client.subscribeAsync(`${base}#`, { qos: 1 });
    await untilAborted(line.signal);
    return 0;
  } finally {
    await client.endAsync(true);
  }
}

/** Empties all retained topics of this node, and no other. Throws `conflict` while its runner is online. */
async function purge(flags: MqttFlags, line: CommandLine): Promise<number> {
  const { config } = configOf(flags, line);
  const address = findBroker(flags, line);
  const client = await openClient(address);
  const base = `tomekeeper/${address.node}`;
  try {
    const own = await retainedOf(client, [`${base}/#`]);
    if (own.get(`${base}/availability`) === "online") {
      throw new AppError(
        "conflict",
        `the runner ${base} is online at ${address.url}, and would say it all again: stop it first`,
      );
    }
    const told = nodeIdIn(own.get(`${base}/info`));
    const kept = await findNodeId(config.data_dir);
    if (told !== null && kept !== null && told !== kept) {
      throw new AppError(
        "conflict",
        `${config.data_dir} is the data folder of another runner than ${base} at ${address.url}: name the right one (--data)`,
      );
    }
    const nodeId = kept ?? told;
    const filters = await ownTopics({ ...config, node: address.node }, nodeId);
    const topics = [...(await retainedOf(client, filters)).keys(), ...own.keys()];
    const removed = [...new Set(topics)].sort();
    await Promise.all(removed.map((topic) => client.publishAsync(topic, "", { qos: 1, retain: true })));
    if (flags.json) line.out(JSON.stringify({ removed }));
    else line.out(removed.length === 0 ? "nothing of it is there" : `removed:\n${removed.join("\n")}`);
    if (nodeId === null) {
      line.err(
        `tomekeeper: ${config.data_dir} is not the runner's data folder (--data), so what it told hubs could not be looked for`,
      );
      return 1;
    }
    return 0;
  } finally {
    await client.endAsync(true);
  }
}

/** The retained messages that these filters match, by topic. Throws `conflict` where the broker does not let us look. */
async function retainedOf(
  client: MqttClient,
  filters: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  let heardAtMs = performance.now();
  const onMessage: Parameters<typeof client.on<"message">>[1] = (topic, payload, { retain }) => {
    if (!retain || payload.length === 0) return;
    found.set(topic, payload.toString());
    heardAtMs = performance.now();
  };
  client.on("message", onMessage);
  try {
    await client.subscribeAsync([...filters], { qos: 1 });
    while (performance.now() - heardAtMs < quietMs) await new Promise((resolve) => setTimeout(resolve, 50));
    await client.unsubscribeAsync([...filters]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new AppError("conflict", `the broker does not let this login read ${filters.join(", ")}: ${why}`, {
      cause: error,
    });
  } finally {
    client.off("message", onMessage);
  }
  return found;
}

function nodeIdIn(info: string | undefined): string | null {
  try {
    const { node_id: nodeId } = JSON.parse(info ?? "{}");
    return typeof nodeId === "string" && /^[0-9a-f-]{36}$/.test(nodeId) ? nodeId : null;
  } catch {
    return null;
  }
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
