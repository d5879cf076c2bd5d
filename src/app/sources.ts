import type { Config } from "../config/schema.ts";
import type { BreakerState, KeptBreaker, SourceSnapshot } from "../domain/source.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import { createClient, type SourceClient } from "../metadata/client.ts";
import { createHttp, type Http } from "../metadata/http.ts";
import type { Plugin, Source, SourceSettings } from "../plugin.ts";
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
  /** In the order in which their word counts. Throws `not_found` for a name that is none of them. */
  chosen(names: readonly string[] | null): readonly SourceClient[];
  snapshots(): readonly SourceSnapshot[];
  /** Resolves when it will hold over a restart too. Throws `not_found`. */
  act(name: string, action: "reset" | "isolate"): Promise<SourceSnapshot>;
  close(): Promise<void>;
}

export function createSources({ config, plugins, store, log, onChange }: SourcesOptions): Sources {
  const { fetch } = config;
  const http = createHttp({
    userAgent: userAgentOf(fetch.contact),
    timeoutMs: fetch.timeout_seconds * 1000,
    allowHosts: fetch.allow_hosts,
  });
  /** What was last given to be kept. */
  const keeping = new Map<string, Pick<KeptBreaker, "state" | "failures">>(
    Object.entries(store.breakers.get()),
  );
  const clients = new Map(
    usedSources(config, plugins).map((source) => [source.name, clientOf(source)] as const),
  );
  for (const name of fetch.sources ?? []) {
    if (!clients.has(name)) log.warn(`fetch.sources names "${name}", which is no source that is in use`);
  }

  function clientOf(source: Source): SourceClient {
    const client = createClient({
      source,
      getJson: async (signal, url, headers) => {
        const answer = await http.fetch(url, {
          signal,
          accept: "application/json",
          ...(headers === undefined ? {} : { headers }),
        });
        return answer.status === 404 ? null : parseJson(answer.body, source.name);
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

  function changed(client: SourceClient, before: BreakerState): void {
    const snapshot = client.snapshot();
    onChange(snapshot, before);
    keep(snapshot).catch((error: unknown) => {
      log.warn(`the state of ${snapshot.source}'s breaker is not kept: ${toErrorRecord(error).message}`);
    });
  }

  async function keep({
    source,
    calls: _calls,
    coalesced: _coalesced,
    ...breaker
  }: SourceSnapshot): Promise<void> {
    const known = keeping.get(source) ?? { state: "closed", failures: 0 };
    // A success that changes nothing is not worth a write.
    if (known.state === breaker.state && known.failures === breaker.failures) return;
    keeping.set(source, breaker);
    await store.breakers.put({ [source]: breaker });
  }

  function named(name: string): SourceClient {
    const client = clients.get(name);
    if (client !== undefined) return client;
    const known = [...clients.keys()].join(", ");
    throw new AppError("not_found", `There is no source "${name}" in use; there are: ${known || "none"}`, {
      details: { source: name },
    });
  }

  return {
    http,
    chosen: (names) => {
      const order = fetch.sources?.filter((name) => clients.has(name)) ?? [...clients.keys()];
      return (names ?? order).map(named);
    },
    snapshots: () => [...clients.values()].map((client) => client.snapshot()),
    act: async (name, action) => {
      const client = named(name);
      if (action === "reset") client.reset();
      else client.isolate();
      const { source: _, calls: _calls, coalesced: _coalesced, ...breaker } = client.snapshot();
      await store.breakers.put({ [name]: breaker });
      return client.snapshot();
    },
    close: async () => {
      for (const client of clients.values()) client.stop();
      await http.close();
    },
  };
}

const dayMs = 24 * 60 * 60 * 1000;

function userAgentOf(contact: string | null): string {
  return `Tomekeeper/${version}${contact === null ? "" : ` (${contact})`}`;
}

function usedSources(config: Config, plugins: readonly Plugin[]): readonly Source[] {
  return plugins.flatMap((plugin) => {
    if (plugin.kind !== "source") return [];
    const given = config.sources[plugin.name];
    if (given?.enabled === false) return [];
    const settings: SourceSettings = {
      baseUrl: given?.base_url?.replace(/\/+$/, "") ?? null,
      token: given?.token ?? null,
      region: given?.region ?? null,
      file: given?.file ?? null,
    };
    return plugin.create(settings) ?? [];
  });
}

function parseJson(body: Buffer, source: string): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw new AppError("answer_invalid", `${source} answers with something that is no JSON`, { cause });
  }
}
