import type { z } from "zod";
import type { CommandData, CommandInput, CommandName, StateBody, StateKey } from "./bus/topics.ts";
import type { BookField, BookFields, Chapter } from "./domain/book.ts";

/*
 * All that a plugin may know of the runner: it imports this file and nothing else of it. What a source says is
 * checked, scored and merged by the core; a source only asks, and translates the answer.
 */

export { eventTypes } from "./bus/payloads.ts";
export type { StateBody } from "./bus/topics.ts";
export type { BookFields, SeriesPosition } from "./domain/book.ts";
export { strategies } from "./domain/organize.ts";
export { splitPeople } from "./domain/people.ts";
export { plainText } from "./domain/plain-text.ts";
export { normalizePosition, parseSeries } from "./domain/series.ts";
export { foldText } from "./domain/text.ts";

/** Ids by which a book can be looked up; `own` is the source's own. */
const idKinds = ["asin", "isbn", "own"] as const;
export type IdKind = (typeof idKinds)[number];

/** A book as a source describes it. */
export interface SourceBook {
  /** The source's own id: with it `get("own", …)` finds the same book again. */
  readonly id: string;
  /** Only what the source says; an absent key says nothing. */
  readonly fields: BookFields;
  /** Of the recording; null where the source does not know of recordings. */
  readonly durationSeconds: number | null;
  /** https address of the largest picture; null where there is none. */
  readonly coverUrl: string | null;
}

export interface SourceChapters {
  /** Of the whole recording. */
  readonly durationMs: number;
  /** In their order, from the start of the recording. */
  readonly chapters: readonly Chapter[];
}

export interface SearchQuery {
  readonly title: string;
  /** The first author; null where none is known. */
  readonly author: string | null;
}

/** What a call of a source works with. Its requests are limited, timed and counted by the core. */
export interface SourceCall {
  /** Aborted when the call has taken too long or the runner stops. */
  readonly signal: AbortSignal;
  /**
   * The JSON at that address, or null where the answer is 404. Throws for every other status, for a body that is no
   * JSON or larger than 10 MB, and when the signal aborts.
   */
  getJson(url: URL, headers?: Readonly<Record<string, string>>): Promise<unknown>;
}

/** A place metadata comes from. Its functions throw what `getJson` throws, or whatever a wrong answer makes them throw. */
export interface Source {
  /** Slug, as it stands in the configuration, in topics and in a field's provenance. */
  readonly name: string;
  /** What it is worth asking for; when other sources have said all of that, it is not asked. */
  readonly goodFor: readonly (BookField | "cover")[];
  /** The ids that it can look up. */
  readonly looksUp: readonly IdKind[];
  /** Its own limit, with where it is written down beside it. Null for a source that sends no requests. */
  readonly requestsPerSecond: number | null;
  /** Up to 10 books, best first; empty where nothing is found. */
  search(query: SearchQuery, call: SourceCall): Promise<readonly SourceBook[]>;
  get(kind: IdKind, id: string, call: SourceCall): Promise<SourceBook | null>;
  /** Present where many ids can be looked up by one request. */
  readonly many?: {
    readonly kinds: readonly IdKind[];
    /** Ids a request takes at most. */
    readonly most: number;
    /** By id, without those that are not found. */
    get(kind: IdKind, ids: readonly string[], call: SourceCall): Promise<ReadonlyMap<string, SourceBook>>;
  };
  /** Present where it knows when the chapters of a recording begin. `id` is its own; null where it knows none. */
  chapters?(id: string, call: SourceCall): Promise<SourceChapters | null>;
}

/** What the configuration says of a source. */
export interface SourceSettings {
  /** Where it is, if not at its usual address; without a slash at the end. */
  readonly baseUrl: string | null;
  readonly token: string | null;
  /** A country, where the source's catalogues differ by country (`us`, `de`, …). */
  readonly region: string | null;
  /** Absolute path of the file that it reads, where it reads one. */
  readonly file: string | null;
}

export interface SourcePlugin {
  readonly kind: "source";
  readonly name: string;
  /** Null where its settings do not say enough to use it. */
  create(settings: SourceSettings): Source | null;
}

/** What a call of a parser works with. */
export interface ParserCall {
  readonly signal: AbortSignal;
  /** Posts JSON and resolves with the JSON of the answer. Throws as `SourceCall.getJson`, for a 404 too. */
  postJson(url: URL, body: unknown, headers: Readonly<Record<string, string>>): Promise<unknown>;
}

/** Reads names of folders and files that no rule understands. */
export interface NameParser {
  readonly name: string;
  /** Changes when it would read the same name otherwise: what another version has read is read again. */
  readonly version: string;
  /** Names it takes at once. */
  readonly most: number;
  /** In the names' order; null for one of which it understood nothing. */
  parse(names: readonly string[], call: ParserCall): Promise<readonly (BookFields | null)[]>;
}

export interface ParserPlugin {
  readonly kind: "parser";
  readonly name: string;
  /** `settings`: its section below `plugins`. It runs only where there is one. Throws where they are not as it needs them. */
  create(settings: Readonly<Record<string, unknown>>): NameParser;
}

/** A message of a hub's own topics. An empty payload takes a retained one away. */
export interface HubMessage {
  readonly topic: string;
  readonly payload: string;
}

/** An event of the runner, as it goes out. */
export interface HubEvent {
  readonly event_type: string;
  readonly [attribute: string]: unknown;
}

/** What a hub's plugin works with, and nothing else. */
export interface HubContext<Settings> {
  /** Its section of the configuration, as its own schema has read it. */
  readonly settings: Settings;
  readonly runner: {
    readonly node: string;
    /** A UUID, the same for as long as the data folder is. */
    readonly nodeId: string;
    /** The runner's own topics are below it. */
    readonly base: string;
    readonly version: string;
    /** Where the hub reaches its HTTP port, and with it the topic `cover` is there; null where it does not. */
    readonly httpUrl: string | null;
  };
  /** Names of what has a breaker: the sources in use, and a parser of names. */
  readonly sources: readonly string[];
  readonly log: { info(message: string): void; warn(message: string): void };
  /** Told at once what is so now, and then of each change, before it has gone out. Returns what ends it. */
  onState<K extends StateKey>(key: K, listener: (body: StateBody<K>) => void): () => void;
  onEvent(listener: (event: HubEvent) => void): () => void;
  /** As a command on the bus. Of one that starts operations it resolves when they are accepted. Throws its error. */
  command<C extends CommandName>(name: C, input: Partial<CommandInput<C>>): Promise<Outcome<C>>;
  readonly mqtt: {
    /** Retained messages that go out at every connection, before the runner says that it is online. */
    announce(messages: () => readonly HubMessage[], delivered?: () => void): void;
    /**
     * Keeps a retained topic that says whether the runner is there: `here` when all else has been said, `gone` after a
     * clean stop, `lost` (the will of a connection of its own) where it died. Only while the plugin starts.
     */
    presence(words: {
      readonly topic: string;
      readonly here: string;
      readonly gone: string;
      readonly lost: string;
    }): void;
    /**
     * An exact topic; only while the plugin starts. What is retained is told again at every connection: it must not make
     * the runner do anything.
     */
    listen(topic: string, onMessage: (payload: string, isRetained: boolean) => void): void;
    /** Retained, kept for the next connection where there is none. */
    publish(message: HubMessage): void;
    /** Not retained. */
    send(message: HubMessage): void;
    /** Sends all announcements and all state again: a hub has come up, or has lost what it knew. */
    repeat(): void;
  };
  /** What it has to know of its last run; JSON. Null before the first `put`. */
  readonly memory: { get(): unknown; put(value: unknown): Promise<void> };
}

type Outcome<C extends CommandName> =
  | { readonly data: CommandData<C> }
  | { readonly operationIds: readonly string[] };

/** Makes the runner a device of a hub, or what else wants to live on the bus beside it. */
export interface HubPlugin<Settings = unknown> {
  readonly kind: "hub";
  readonly name: string;
  /** Whether it runs where the configuration says nothing of it. */
  readonly isOnByDefault: boolean;
  /** Of its section below `plugins`, `enabled` aside. Without it the plugin is given that as it stands there. */
  readonly settings?: z.ZodType<Settings>;
  /** What others may do with its topics at the embedded broker. */
  access(
    settings: Settings,
    nodeId: string,
  ): {
    /** Exact topics that whoever may send commands may publish: the hub's birth message, for one. */
    readonly publish: readonly string[];
    /** First levels that everybody may read. */
    readonly read: readonly string[];
  };
  /** Topic filters that match all it ever retains for this runner, and nothing of anybody else. */
  owns(settings: Settings, nodeId: string): readonly string[];
  /** Begins, and returns what ends it. Everything thrown here or in what it has registered ends it alone. */
  start(context: HubContext<Settings>): HubStop | Promise<HubStop>;
  /** It ran before and is switched off now: takes away what it has left on the bus. */
  leave?(context: HubContext<Settings>): void;
}

export type HubStop = () => void | Promise<void>;

export type Plugin = SourcePlugin | ParserPlugin | AnyHubPlugin;

/** Its settings are what its own schema makes of them. */
// biome-ignore lint/suspicious/noExplicitAny: the schema and the functions of one plugin agree, whatever the type
export type AnyHubPlugin = HubPlugin<any>;
