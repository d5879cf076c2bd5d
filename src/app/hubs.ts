import { z } from "zod";
import type { BusExtension } from "../bus/bus.ts";
import type { CommandHandlers } from "../bus/commands.ts";
import type { PresenceWords } from "../bus/presence.ts";
import { type CommandName, commands, type StateBody, type StateKey } from "../bus/topics.ts";
import type { Config } from "../config/schema.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import type { AnyHubPlugin, HubContext, HubEvent, HubMessage, HubPlugin, HubStop } from "../plugin.ts";
import type { PluginMemory } from "../store/plugin-memory.ts";
import { version } from "../version.ts";
import type { Logger } from "./logger.ts";

type PluginStates = StateBody<"info">["plugins"];

interface HubsOptions {
  readonly config: Config;
  readonly plugins: readonly AnyHubPlugin[];
  readonly nodeId: string;
  readonly memory: PluginMemory;
  readonly log: Logger;
  readonly bus: () => {
    publishRetained(topic: string, payload: string): void;
    publishOnce(topic: string, payload: string): void;
    repeat(): void;
  };
  readonly handlers: () => CommandHandlers;
  /** A plugin has failed. */
  readonly onFailed: () => void;
}

/** The plugins of hubs: each has a view of the runner, and one that fails ends alone. */
export interface Hubs {
  readonly extensions: readonly BusExtension[];
  states(): PluginStates;
  /** Before the first connection. */
  start(sources: readonly string[]): Promise<void>;
  stateChanged<K extends StateKey>(key: K, body: StateBody<K>): void;
  happened(event: HubEvent): void;
  stop(): Promise<void>;
}

/** One plugin while it runs. */
interface RunningHub {
  readonly name: string;
  readonly announcements: {
    readonly messages: () => readonly HubMessage[];
    readonly delivered: () => void;
  }[];
  readonly heard: Map<string, (payload: string, isRetained: boolean) => void>;
  readonly presences: PresenceWords[];
  readonly states: Map<StateKey, Set<(body: never) => void>>;
  readonly events: Set<(event: HubEvent) => void>;
  stop: HubStop | null;
  /** Null while it does what it should. */
  error: string | null;
}

const startLimitMs = 5_000;

export function createHubs(options: HubsOptions): Hubs {
  const { config, plugins, log } = options;
  const running: RunningHub[] = [];
  const failed = new Map<string, string>();
  /** By key, and by source where each has a topic of its own. */
  const last = new Map<string, { readonly key: StateKey; readonly body: StateBody<StateKey> }>();

  /** What it throws, at once or later, ends it and nobody else. */
  function guarded<T>(hub: RunningHub, work: () => T): T | undefined {
    if (hub.error !== null) return undefined;
    try {
      const result = work();
      if (result instanceof Promise) result.catch((error: unknown) => fail(hub, error));
      return result;
    } catch (error) {
      fail(hub, error);
      return undefined;
    }
  }

  function fail(hub: RunningHub, error: unknown): void {
    if (hub.error !== null) return;
    const { message } = toErrorRecord(error);
    hub.error = message;
    failed.set(hub.name, message);
    log.error(`the plugin ${hub.name} has failed and is ended: ${message}`);
    void end(hub);
    options.onFailed();
  }

  async function end(hub: RunningHub): Promise<void> {
    const { stop } = hub;
    hub.stop = null;
    try {
      await stop?.();
    } catch (error) {
      log.warn(`the plugin ${hub.name} does not end as it should: ${toErrorRecord(error).message}`);
    }
  }

  async function startOne(plugin: AnyHubPlugin, sources: readonly string[]): Promise<void> {
    const { name } = plugin;
    const hub: RunningHub = {
      name,
      announcements: [],
      heard: new Map(),
      presences: [],
      states: new Map(),
      events: new Set(),
      stop: null,
      error: null,
    };
    const { enabled, settings } = sectionOf(plugin, config);
    const wasThere = options.memory.get(name) !== null;
    if (!enabled && (!wasThere || plugin.leave === undefined)) return;
    try {
      const context = contextOf(hub, plugin.settings?.parse(settings) ?? settings, sources);
      running.push(hub);
      if (enabled) hub.stop = await withinLimit(Promise.resolve(plugin.start(context)));
      else plugin.leave?.(context);
    } catch (error) {
      fail(
        hub,
        error instanceof z.ZodError ? new Error(`plugins.${name}: ${z.prettifyError(error)}`) : error,
      );
    }
  }

  function contextOf(hub: RunningHub, settings: unknown, sources: readonly string[]): HubContext<unknown> {
    const { name, announcements, heard, presences, states, events } = hub;
    const { node, http } = config;
    const httpUrl = http.port === null ? null : http.url;
    return {
      settings,
      runner: { node, nodeId: options.nodeId, base: `tomekeeper/${node}`, version, httpUrl },
      sources,
      log: {
        info: (message) => log.info(`${name}: ${message}`),
        warn: (message) => log.warn(`${name}: ${message}`),
      },
      onState: (key, listener) => {
        const listeners = states.get(key) ?? new Set();
        states.set(key, listeners.add(listener));
        for (const now of last.values()) if (now.key === key) guarded(hub, () => listener(now.body as never));
        return () => listeners.delete(listener);
      },
      onEvent: (listener) => {
        events.add(listener);
        return () => events.delete(listener);
      },
      command: (command, input) => run(command, input),
      mqtt: {
        announce: (messages, delivered = () => {}) => announcements.push({ messages, delivered }),
        presence: (words) => presences.push(words),
        listen: (topic, onMessage) => heard.set(topic, onMessage),
        publish: ({ topic, payload }) => options.bus().publishRetained(topic, payload),
        send: ({ topic, payload }) => options.bus().publishOnce(topic, payload),
        repeat: () => options.bus().repeat(),
      },
      memory: {
        get: () => options.memory.get(name),
        put: (value) => options.memory.put(name, value),
      },
    };
  }

  async function run(name: CommandName, input: unknown): Promise<never> {
    const parsed = commands[name].input.safeParse(input);
    if (!parsed.success) throw new AppError("invalid_payload", z.prettifyError(parsed.error));
    const handler = options.handlers()[name];
    const context = { transaction: null, priority: parsed.data.priority ?? "normal" };
    // The table gives each command its handler; the compiler sees only that there are several.
    return (await handler.run(parsed.data as never, context)) as never;
  }

  return {
    extensions: plugins.map((plugin): BusExtension => {
      const mine = () => running.find(({ name }) => name === plugin.name);
      return {
        get listensTo() {
          const hub = mine();
          return [...(hub?.heard ?? [])].map(([topic, onMessage]) => ({
            topic,
            onMessage: (payload: Buffer, isRetained: boolean) => {
              if (hub !== undefined) guarded(hub, () => onMessage(payload.toString("utf8"), isRetained));
            },
          }));
        },
        get presences() {
          return mine()?.presences ?? [];
        },
        announces: () => {
          const hub = mine();
          return hub === undefined
            ? []
            : hub.announcements.flatMap(({ messages }) => guarded(hub, messages) ?? []);
        },
        delivered: () => {
          const hub = mine();
          for (const { delivered } of hub?.announcements ?? [])
            if (hub !== undefined) guarded(hub, delivered);
        },
      };
    }),
    states: () => [
      ...running
        .filter(({ name, error }) => error === null && sectionOfName(name).enabled)
        .map(({ name }) => ({ name, state: "running" as const, error: null })),
      ...[...failed].map(([name, error]) => ({ name, state: "failed" as const, error })),
    ],
    start: async (sources) => {
      for (const plugin of plugins) await startOne(plugin, sources);
    },
    stateChanged: (key, body) => {
      last.set("source" in body ? `${key}/${body.source}` : key, { key, body });
      for (const hub of running)
        for (const listener of hub.states.get(key) ?? []) guarded(hub, () => listener(body as never));
    },
    happened: (event) => {
      for (const hub of running) for (const listener of hub.events) guarded(hub, () => listener(event));
    },
    stop: async () => {
      for (const hub of running.splice(0)) await end(hub);
    },
  };

  function sectionOfName(name: string) {
    const plugin = plugins.find((each) => each.name === name);
    return plugin === undefined ? { enabled: false } : sectionOf(plugin, config);
  }
}

/** A plugin that does not come up must not keep the runner from it. */
async function withinLimit<T>(starting: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`it did not start within ${startLimitMs / 1000} s`);
    timer = setTimeout(() => reject(error), startLimitMs);
  });
  try {
    return await Promise.race([starting, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the configuration says of a plugin, `enabled` apart. */
function sectionOf(
  { name, isOnByDefault }: Pick<AnyHubPlugin, "name" | "isOnByDefault">,
  { plugins }: Config,
): { readonly enabled: boolean; readonly settings: Readonly<Record<string, unknown>> } {
  const section = plugins[name];
  const { enabled = section !== undefined || isOnByDefault, module: _module, ...settings } = section ?? {};
  return { enabled, settings };
}

/** A plugin's settings, whether it runs or not; null where they are not as it needs them. */
export function hubSettings<T>(plugin: HubPlugin<T>, config: Config): T | null {
  const { settings } = sectionOf(plugin, config);
  return plugin.settings === undefined ? (settings as T) : (plugin.settings.safeParse(settings).data ?? null);
}

/** What all plugins that run want others to be allowed at the embedded broker. A plugin that cannot say it wants nothing. */
export function hubAccess(
  plugins: readonly AnyHubPlugin[],
  config: Config,
  nodeId: string,
): { readonly publish: readonly string[]; readonly read: readonly string[] } {
  const wanted = plugins.flatMap((plugin) => {
    const settings = sectionOf(plugin, config).enabled ? hubSettings(plugin, config) : null;
    return settings === null ? [] : plugin.access(settings, nodeId);
  });
  return {
    publish: wanted.flatMap(({ publish }) => publish),
    read: wanted.flatMap(({ read }) => read),
  };
}
