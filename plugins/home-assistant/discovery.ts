import type { HubContext, HubMessage } from "../../src/plugin.ts";
import { type Component, components } from "./components.ts";

/** Where a discovery of ours lies on the broker: what it takes to change it, and to take it away. */
export interface Announced {
  readonly mode: "device" | "components";
  readonly prefix: string;
  /** Platforms by key. */
  readonly components: Readonly<Record<string, string>>;
}

export interface Wanted {
  readonly mode: Announced["mode"] | "off";
  readonly prefix: string;
}

type Facts = Pick<HubContext<unknown>, "runner" | "sources">;

/** Of whatever changes hands between one message for the device and one for each entity. */
const migrate = JSON.stringify({ migrate_discovery: true });

/**
 * The messages that lead from what was announced to what is wanted, in their order, and what is announced then. Without
 * a change it is the discovery alone, byte for byte as before.
 */
export function discovery(
  wanted: Wanted,
  before: Announced | null,
  facts: Facts,
): { readonly messages: readonly HubMessage[]; readonly after: Announced | null } {
  const { mode, prefix } = wanted;
  const topics = topicsOf(facts.runner.nodeId);
  if (mode === "off") return { messages: before === null ? [] : emptied(before, topics), after: null };
  const made = components(facts);
  const platforms = Object.fromEntries(Object.entries(made).map(([key, { platform }]) => [key, platform]));
  const after: Announced = { mode, prefix, components: platforms };
  const isElsewhere = before !== null && before.prefix !== prefix;
  // A hub that reads another prefix has never seen the old one: nothing changes hands.
  const left = isElsewhere ? emptied(before, topics) : [];
  const known = before === null || isElsewhere ? { ...after, components: {} } : before;
  const gone = Object.entries(known.components).filter(([key, platform]) => platforms[key] !== platform);
  const messages = mode === "device" ? announceDevice() : announceEach();
  return { messages: [...left, ...messages], after };

  function announceDevice(): readonly HubMessage[] {
    const topic = topics.device(prefix);
    const whole = { topic, payload: devicePayload(facts, made) };
    if (known.mode === "components") {
      const old = Object.entries(known.components).map(([key, platform]) =>
        topics.entity(prefix, platform, key),
      );
      return [
        ...old.map((each) => ({ topic: each, payload: migrate })),
        whole,
        ...old.map((each) => ({ topic: each, payload: "" })),
      ];
    }
    if (gone.length === 0) return [whole];
    // An entity goes when it is named by its platform alone; only then it may be left out.
    const bare = Object.fromEntries(gone.map(([key, platform]) => [key, { platform }]));
    return [{ topic, payload: devicePayload(facts, { ...made, ...bare }) }, whole];
  }

  function announceEach(): readonly HubMessage[] {
    const device = topics.device(prefix);
    const each = Object.entries(made).map(([key, component]) => ({
      topic: topics.entity(prefix, component.platform, key),
      payload: entityPayload(facts, key, component),
    }));
    if (known.mode === "device" && before !== null && !isElsewhere) {
      return [{ topic: device, payload: migrate }, ...each, { topic: device, payload: "" }];
    }
    const old = gone.map(([key, platform]) => ({ topic: topics.entity(prefix, platform, key), payload: "" }));
    return [...old, ...each];
  }
}

/** Filters for all that was ever announced below that prefix, in either mode. */
export function ownFilters(prefix: string, nodeId: string): readonly string[] {
  const topics = topicsOf(nodeId);
  return [topics.device(prefix), topics.entity(prefix, "+", "+")];
}

function topicsOf(nodeId: string) {
  const id = deviceId(nodeId);
  return {
    device: (prefix: string) => `${prefix}/device/${id}/config`,
    entity: (prefix: string, platform: string, key: string) => `${prefix}/${platform}/${id}/${key}/config`,
  };
}

function emptied(
  { mode, prefix, components: old }: Announced,
  topics: ReturnType<typeof topicsOf>,
): HubMessage[] {
  if (mode === "device") return [{ topic: topics.device(prefix), payload: "" }];
  return Object.entries(old).map(([key, platform]) => ({
    topic: topics.entity(prefix, platform, key),
    payload: "",
  }));
}

function deviceId(nodeId: string): string {
  return `tomekeeper_${nodeId}`;
}

function devicePayload(
  facts: Facts,
  made: Readonly<Record<string, Component | { readonly platform: string }>>,
): string {
  const { nodeId } = facts.runner;
  const whole = Object.entries(made).map(([key, component]) => [key, withId(nodeId, key, component)]);
  return JSON.stringify({ ...shared(facts), components: Object.fromEntries(whole) });
}

/** In a message of its own an entity's platform stands in the topic. */
function entityPayload(facts: Facts, key: string, component: Component): string {
  const { platform: _platform, ...entries } = withId(facts.runner.nodeId, key, component);
  return JSON.stringify({ ...entries, ...shared(facts) });
}

function withId<T extends { readonly platform: string }>(nodeId: string, key: string, component: T): T {
  const isEntity = Object.keys(component).length > 1 && component.platform !== "device_automation";
  if (!isEntity) return component;
  const { platform, ...entries } = component;
  return { platform, unique_id: `${deviceId(nodeId)}_${key}`, ...entries } as unknown as T;
}

function shared({ runner }: Facts): object {
  const { node, nodeId, base, version } = runner;
  return {
    device: {
      identifiers: [deviceId(nodeId)],
      name: node === "main" ? "Tomekeeper" : `Tomekeeper ${node}`,
      manufacturer: "Tomekeeper",
      model: "Audiobook library",
      sw_version: version,
      serial_number: nodeId,
    },
    origin: {
      name: "tomekeeper",
      sw_version: version,
      support_url: "https://github.com/tomekeeper/tomekeeper",
    },
    availability: [{ topic: `${base}/availability` }],
    qos: 1,
  };
}
