import { z } from "zod";
import type { HubContext, HubMessage, HubPlugin } from "../../src/plugin.ts";
import { describe, type Nodes, nodesOf, type Property, payloadOf, refusalOf } from "./device.ts";

/*
 * Makes the runner a device of the Homie convention, version 5
 * (https://homieiot.github.io/specification/spec-core-v5_0_0/), for hubs that are not Home Assistant.
 */

const settings = z.strictObject({
  /** The first level of all topics of the convention; hubs find only what is below `homie`. */
  domain: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/)
    .default("homie"),
});
type Settings = z.output<typeof settings>;

/** What of an earlier run lies on the broker. */
const announced = z.object({ domain: z.string(), topics: z.array(z.string()) });

export const homie: HubPlugin<Settings> = {
  kind: "hub",
  name: "homie",
  isOnByDefault: false,
  settings,
  // Sources have nothing that could be set.
  access: ({ domain }, nodeId) => ({
    publish: settable(nodesOf([])).map(({ path }) => `${rootOf(domain, nodeId)}/${path}/set`),
    read: [domain],
  }),
  owns: ({ domain }, nodeId) => [`${rootOf(domain, nodeId)}/#`],
  start: (context) => {
    const { mqtt, runner, settings: wanted } = context;
    const root = rootOf(wanted.domain, runner.nodeId);
    const nodes = nodesOf(context.sources);
    mqtt.presence({ topic: `${root}/$state`, here: "ready", gone: "disconnected", lost: "lost" });
    announceDevice(context, root, nodes);
    for (const { path, property } of propertiesOf(nodes)) follow(context, `${root}/${path}`, property);
    for (const { path, property } of settable(nodes)) listen(context, `${root}/${path}/set`, property);
    alertOf(context, `${root}/$alert/diagnostics`);
    return () => {};
  },
  leave: ({ mqtt, memory }) => {
    const before = announced.safeParse(memory.get());
    if (!before.success) return;
    mqtt.announce(
      () => before.data.topics.map(emptied),
      () => void memory.put(null).catch(() => {}),
    );
  },
};

function rootOf(domain: string, nodeId: string): string {
  return `${domain}/5/tomekeeper-${nodeId}`;
}

function propertiesOf(nodes: Nodes): readonly { readonly path: string; readonly property: Property }[] {
  return Object.entries(nodes).flatMap(([node, { properties }]) =>
    Object.entries(properties).map(([key, property]) => ({ path: `${node}/${key}`, property })),
  );
}

function settable(nodes: Nodes) {
  return propertiesOf(nodes).filter(({ property }) => property.set !== undefined);
}

/** The description, and what an earlier run has left and nobody describes any more. */
function announceDevice(context: HubContext<Settings>, root: string, nodes: Nodes): void {
  const {
    mqtt,
    memory,
    runner,
    settings: { domain },
  } = context;
  const name = runner.node === "main" ? "Tomekeeper" : `Tomekeeper ${runner.node}`;
  const values = propertiesOf(nodes).filter(
    ({ property: { description, follow } }) => follow !== undefined && description.retained !== false,
  );
  // `$state` comes first, which is how a device is taken away.
  const topics = ["$state", "$description", "$alert/diagnostics", ...values.map(({ path }) => path)].map(
    (path) => `${root}/${path}`,
  );
  const description = { topic: `${root}/$description`, payload: describe(name, nodes) };
  mqtt.announce(
    () => {
      const before = announced.safeParse(memory.get());
      const gone = before.success ? before.data.topics.filter((topic) => !topics.includes(topic)) : [];
      return [...gone.map(emptied), { topic: `${root}/$state`, payload: "init" }, description];
    },
    () => {
      const after = { domain, topics };
      if (JSON.stringify(memory.get()) === JSON.stringify(after)) return;
      memory.put(after).catch((error: unknown) => {
        context.log.warn(
          `what was announced is not kept: ${error instanceof Error ? error.message : String(error)}`,
        );
      });
    },
  );
}

function emptied(topic: string): HubMessage {
  return { topic, payload: "" };
}

/** Publishes the property's value whenever it is another; a moment every time. */
function follow(
  context: HubContext<Settings>,
  topic: string,
  { description, follow: begin }: Property,
): void {
  const { mqtt } = context;
  let last: string | null = null;
  begin?.(context, (value) => {
    const payload = payloadOf(value);
    if (description.retained === false) {
      mqtt.send({ topic, payload });
      return;
    }
    if (payload === last) return;
    last = payload;
    mqtt.publish({ topic, payload });
  });
}

function listen(context: HubContext<Settings>, topic: string, { description, set }: Property): void {
  const { command, log, mqtt } = context;
  mqtt.listen(topic, (payload, isRetained) => {
    if (payload === "") return;
    const refusal = isRetained
      ? "is retained: it would be set again and again"
      : refusalOf(description, payload);
    if (refusal !== null) {
      log.warn(`${topic} is not set: what was sent ${refusal}`);
      return;
    }
    set?.(payload, { command }).catch((error: unknown) => {
      log.warn(`${topic}: ${error instanceof Error ? error.message : String(error)}`);
    });
  });
}

/** What a person should know of, in words, for as long as it is so. */
function alertOf({ mqtt, onState }: HubContext<Settings>, topic: string): void {
  let last: string | null = null;
  onState("diagnostics", ({ checks }) => {
    const bad = checks.filter(({ severity }) => severity !== "ok");
    const payload = bad
      .map(({ message, remedy }) => (remedy === null ? message : `${message}; ${remedy}`))
      .join("\n");
    if (payload === last) return;
    last = payload;
    mqtt.publish({ topic, payload });
  });
}
