import type { StateBody } from "../bus/topics.ts";
import type { Config } from "../config/schema.ts";
import type { BreakerState, KeptBreaker, SourceSnapshot } from "../domain/source.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import { createClient, type SourceClient } from "../metadata/client.ts";
import { createGuesser, type Guesser, guessLimitMs } from "../metadata/guess.ts";
import { createHttp, type Http } from "../metadata/http.ts";
import type { NameParser, Plugin, Source } from "../plugin.ts";
import type { Store } from "../store/open.ts";
import { version } from "../version.ts";
import type { Logger } from "./logger.ts";

interface SourcesOptions {
  readonly config: Config;
  readonly plugins: readonly Plugin[];
  readonly store: Pick<Store, "answers" | "breakers">;
  readonly log: Logger;
  /** Told of every change of a breaker or its counts; `before` is the state it was in. */
  readonly onChange: (snapshot: SourceSnapshot, before: BreakerState) => void;
}

/** The sources in use, each with its one client and breaker for the life of the process. */
export interface Sources {
  readonly http: Http;
  /** Reads names that no rule understands; null where none is configured. */
  readonly guesser: Guesser | null;
  /** Which plugins run, and why one does not. */
  readonly plugins: StateBody<"info">["plugins"];
  /** In the order in which their word counts. Throws `not_found` for a name that is none of them. */
  chosen(names: readonly string[] | null): readonly SourceClient[];
  snapshots(): readonly SourceSnapshot[];
  /** Resolves when it will hold over a restart too. Throws `not_found`. */
  act(name: string, action: "reset" | "isolate"): Promise<SourceSnapshot>;
  close(): Promise<void>;
}

/** What has a breaker in front of it. */
type Guarded = Pick<SourceClient, "snapshot" | "reset" | "isolate" | "stop">;

export function createSources(options: SourcesOptions): Sources {
  const { config, store, log } = options;
  const { fetch } = config;
  const http = createHttp({
    userAgent: `Tomekeeper/${version}${fetch.contact === null ? "" : ` (${fetch.contact})`}`,
    timeoutMs: fetch.timeout_seconds * 1000,
    allowHosts: fetch.allow_hosts,
  });
  const keepBreaker = createBreakerKeeper(store.breakers);
  const started = startPlugins(options.plugins, config, log);
  const clients = new Map(started.sources.map((source) => [source.name, clientOf(source)] as const));
  const guesser = started.parser === null ? null : guesserOf(started.parser);
  const guarded = new Map<string, Guarded>(clients);
  if (guesser !== null) guarded.set(guesser.snapshot().source, guesser);
  for (const name of fetch.sources ?? []) {
    if (!clients.has(name)) log.warn(`fetch.sources names "${name}", which is no source that is in use`);
  }

  function clientOf(source: Source): SourceClient {
    const client = createClient({
      source,
      getJson: async (signal, url, headers = {}) => {
        const { status, body } = await http.fetch(url, { signal, accept: "application/json", headers });
        return status === 404 ? null : parseJson(body, source.name);
      },
      answers: store.answers,
      settings: {
        breakerFailures: fetch.breaker.failures,
        breakerOpenMs: fetch.breaker.open_seconds * 1000,
        callLimitMs: fetch.timeout_seconds * 1000,
        foundTtlMs: fetch.found_days * dayMs,
        notFoundTtlMs: fetch.not_found_days * dayMs,
      },
      requestsPerSecond: config.sources[source.name]?.rate_per_second ?? null,
      kept: store.breakers.get()[source.name] ?? null,
      onChange: (before) => changed(client, before),
    });
    return client;
  }

  function guesserOf(parser: NameParser): Guesser {
    const made = createGuesser({
      parser,
      postJson: async (signal, url, post, headers) => {
        const asked = { signal, accept: "application/json", headers, post, timeoutMs: guessLimitMs };
        const { status, body } = await http.fetch(url, asked);
        if (status === 404)
          throw new AppError("answer_invalid", `${url.host} knows nothing at ${url.pathname} (404)`);
        return parseJson(body, parser.name);
      },
      answers: store.answers,
      breakerFailures: fetch.breaker.failures,
      breakerOpenMs: fetch.breaker.open_seconds * 1000,
      keptMs: fetch.found_days * dayMs,
      kept: store.breakers.get()[parser.name] ?? null,
      onChange: (before) => changed(made, before),
    });
    return made;
  }

  function changed(of: Guarded, before: BreakerState): void {
    const snapshot = of.snapshot();
    options.onChange(snapshot, before);
    keepBreaker(snapshot).catch((error: unknown) => {
      log.warn(`the state of ${snapshot.source}'s breaker is not kept: ${toErrorRecord(error).message}`);
    });
  }

  function named<T>(among: ReadonlyMap<string, T>, name: string): T {
    const found = among.get(name);
    if (found !== undefined) return found;
    const known = [...among.keys()].join(", ");
    throw new AppError("not_found", `There is no source "${name}" in use; there are: ${known || "none"}`, {
      details: { source: name },
    });
  }

  return {
    http,
    guesser,
    plugins: started.states,
    chosen: (names) => {
      const order = fetch.sources?.filter((name) => clients.has(name)) ?? [...clients.keys()];
      return (names ?? order).map((name) => named(clients, name));
    },
    snapshots: () => [...guarded.values()].map((each) => each.snapshot()),
    act: async (name, action) => {
      const found = named(guarded, name);
      if (action === "reset") found.reset();
      else found.isolate();
      const snapshot = found.snapshot();
      await keepBreaker(snapshot, true);
      return snapshot;
    },
    close: async () => {
      for (const each of guarded.values()) each.stop();
      await http.close();
    },
  };
}

const dayMs = 24 * 60 * 60 * 1000;

/** Writes a breaker down where what matters of it is new, or it has to be. */
function createBreakerKeeper(breakers: Store["breakers"]) {
  const given = new Map<string, KeptBreaker>(Object.entries(breakers.get()));
  return async (snapshot: SourceSnapshot, isForced = false): Promise<void> => {
    const { source, calls: _calls, coalesced: _coalesced, ...breaker } = snapshot;
    const known = given.get(source);
    const isSame =
      breaker.state === (known?.state ?? "closed") && breaker.failures === (known?.failures ?? 0);
    if (isSame && !isForced) return;
    given.set(source, breaker);
    await breakers.put({ [source]: breaker });
  };
}

interface StartedPlugins {
  readonly sources: readonly Source[];
  readonly parser: NameParser | null;
  readonly states: StateBody<"info">["plugins"];
}

/** A plugin that cannot be used as it is configured does not keep the others from their work. */
function startPlugins(plugins: readonly Plugin[], config: Config, log: Logger): StartedPlugins {
  const sources: Source[] = [];
  const states: StateBody<"info">["plugins"][number][] = [];
  let parser: NameParser | null = null;
  for (const plugin of plugins) {
    const { name } = plugin;
    try {
      if (plugin.kind === "source") {
        const source = createSource(plugin, config);
        if (source === null) continue;
        sources.push(source);
      } else if (plugin.kind === "parser") {
        const settings = config.plugins[name];
        if (settings === undefined || settings.enabled === false) continue;
        parser = plugin.create(settings);
      } else continue;
      states.push({ name, state: "running", error: null });
    } catch (error) {
      const { message } = toErrorRecord(error);
      log.error(`the plugin ${name} does not run: ${message}`);
      states.push({ name, state: "failed", error: message });
    }
  }
  return { sources, parser, states };
}

function createSource(plugin: Extract<Plugin, { kind: "source" }>, config: Config): Source | null {
  const given = config.sources[plugin.name];
  if (given?.enabled === false) return null;
  return plugin.create({
    baseUrl: given?.base_url?.replace(/\/+$/, "") ?? null,
    token: given?.token ?? null,
    region: given?.region ?? null,
    file: given?.file ?? null,
  });
}

function parseJson(body: Buffer, source: string): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new AppError("answer_invalid", `${source} answers with something that is no JSON`, { cause });
  }
}
