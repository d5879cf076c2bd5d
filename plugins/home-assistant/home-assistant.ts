import { z } from "zod";
import type { HubContext, HubPlugin } from "../../src/plugin.ts";
import { type Announced, discovery, ownFilters, type Wanted } from "./discovery.ts";

/*
 * Makes the runner one device of Home Assistant, by its MQTT discovery
 * (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery): entities, buttons and triggers come with their
 * templates, and nobody writes one.
 */

const settings = z.strictObject({
  /** One message for the whole device, one for each entity (for hubs without the former), or none. */
  discovery: z.enum(["device", "components", "off"]).default("device"),
  /** As the hub is configured; one level. */
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .default("homeassistant"),
});
type Settings = z.output<typeof settings>;

const announced = z.object({
  mode: z.enum(["device", "components"]),
  prefix: z.string(),
  components: z.record(z.string(), z.string()),
});

/** All runners of a house would answer a hub's birth at the same moment. */
const mostJitterMs = 3_000;

export const homeAssistant: HubPlugin<Settings> = {
  kind: "hub",
  name: "home-assistant",
  isOnByDefault: true,
  settings,
  access: ({ prefix }) => ({ publish: [birthTopic(prefix)], read: [prefix] }),
  owns: ({ prefix }, nodeId) => ownFilters(prefix, nodeId),
  start: (context) => {
    const { discovery: mode, prefix } = context.settings;
    announce(context, { mode, prefix });
    let waiting: NodeJS.Timeout | undefined;
    if (mode !== "off") {
      context.mqtt.listen(birthTopic(prefix), (payload) => {
        if (payload !== "online") return;
        clearTimeout(waiting);
        waiting = setTimeout(() => context.mqtt.repeat(), Math.random() * mostJitterMs).unref();
      });
    }
    return () => clearTimeout(waiting);
  },
  leave: (context) => announce(context, { mode: "off", prefix: context.settings.prefix }),
};

function birthTopic(prefix: string): string {
  return `${prefix}/status`;
}

function announce(context: HubContext<Settings>, wanted: Wanted): void {
  const { mqtt, memory } = context;
  const now = () => discovery(wanted, known(memory.get()), context);
  mqtt.announce(
    () => now().messages,
    // Only what has arrived is known to be there: else the change is told again.
    () => {
      const { after } = now();
      if (JSON.stringify(after) === JSON.stringify(known(memory.get()))) return;
      memory.put(after).catch((error: unknown) => {
        context.log.warn(
          `what was announced to the hub is not kept: ${error instanceof Error ? error.message : error}`,
        );
      });
    },
  );
}

function known(memory: unknown): Announced | null {
  const parsed = announced.safeParse(memory);
  return parsed.success ? parsed.data : null;
}
