import { z } from "zod";
import { operationKinds, operationStates } from "../domain/operation.ts";
import { strategies } from "../domain/organize.ts";
import { foldText } from "../domain/text.ts";
import {
  bookFieldsInput,
  bookIds,
  command,
  folderPath,
  id,
  limit,
  lowPriority,
  offset,
  searched,
  started,
} from "./command-schema.ts";
import { batchShape, organizeShape, planShape } from "./organize-payloads.ts";
import {
  bookShape,
  bookStates,
  bookSummaryShape,
  breakerShape,
  coverShape,
  diagnosticsShape,
  errorShape,
  eventShape,
  healthShape,
  infoShape,
  libraryShape,
  logShape,
  memoryShape,
  operationShape,
  queueShape,
  scanShape,
  settingsShape,
  stamp,
} from "./payloads.ts";

/*
 * The contract: every topic and every command there is. The reference page is made from it, the runner's
 * types come from it, and what is not in it does not exist on the wire.
 */

/** How soon a state topic's new value goes out. Equal values are not published twice. */
export type Pace<Body> =
  /** Every change at once. */
  | { readonly kind: "at_once" }
  /** At most one a second; a change of `urgent` at once, a change of `brisk` at most ten a second. */
  | {
      readonly kind: "each_second";
      readonly urgent: (body: Body) => string;
      readonly brisk?: (body: Body) => string;
    };

interface StateTopic<Shape extends z.ZodRawShape> {
  /** Below `<base>/`. */
  readonly path: string;
  readonly payload: z.ZodObject<Shape & typeof stamp>;
  readonly pace: Pace<Frozen<z.output<z.ZodObject<Shape>>>>;
  /** After how many seconds an MQTT 5 broker forgets it; null for never. */
  readonly expirySeconds: number | null;
  readonly description: string;
}

/** Retained, QoS 1, JSON: what is so now. */
export const stateTopics = {
  info: state("info", infoShape, "Who this runner is and what it can do.", { kind: "at_once" }),
  scan: state("scan", scanShape, "How far the scan is.", {
    kind: "each_second",
    urgent: (body) => `${body.state} ${body.operation_id}`,
  }),
  organize: state("organize", organizeShape, "How far organizing is, and what it did last.", {
    kind: "each_second",
    urgent: (body) => `${body.state} ${body.operation_id} ${body.last_batch?.undoable_until}`,
  }),
  queue: state("queue", queueShape, "What runs and what waits.", {
    kind: "each_second",
    urgent: (body) => `${body.state} ${body.paused_kinds} ${body.workers.current}`,
    // Ten thousand short operations change the running set ten thousand times: the set at ten a second is
    // soon enough for a person and for an automation.
    brisk: (body) => body.running.map((operation) => operation.operation_id).join(" "),
  }),
  library: state("library", libraryShape, "What the library holds.", {
    kind: "each_second",
    urgent: (body) => body.last_scan ?? "",
  }),
  cover: state(
    "cover",
    coverShape,
    "The newest book that has a cover, and where the cover can be seen; only where `http.url` is configured.",
    { kind: "each_second", urgent: (body) => body.book.id },
  ),
  diagnostics: state("diagnostics", diagnosticsShape, "What the start-up checks found.", {
    kind: "at_once",
  }),
  breaker: state(
    "breaker/<source>",
    breakerShape,
    "Whether a metadata source is asked: one topic for each source.",
    {
      kind: "each_second",
      urgent: (body) => `${body.state} ${body.opened_at} ${body.next_probe_at} ${body.failures}`,
    },
  ),
  settings: state("settings", settingsShape, "The settings now in force that can be changed while it runs.", {
    kind: "at_once",
  }),
  memory: state("memory", memoryShape, "Memory in use and how tight it is.", {
    kind: "each_second",
    urgent: (body) => body.level,
  }),
  health: state("health", healthShape, "A sign of life every 60 seconds.", { kind: "at_once" }, 180),
} as const;

export type StateKey = keyof typeof stateTopics;

/** What the app says; the stamp (`ts`, `boot_id`, `seq`) is added when it goes out. */
export type StateBody<K extends StateKey> = Frozen<
  Omit<z.output<(typeof stateTopics)[K]["payload"]>, keyof typeof stamp>
>;

/** The topics that are not JSON state. */
export const otherTopics = {
  availability: {
    path: "availability",
    retained: true,
    qos: 1,
    direction: "out",
    payload: z.enum(["online", "offline"]),
    description: "Plain text. `offline` is also the last will; `online` comes once commands are heard.",
  },
  event: {
    path: "event",
    retained: false,
    qos: 1,
    direction: "out",
    payload: eventShape,
    description: "Something happened; the keys beside `event_type` are its attributes.",
  },
  log: {
    path: "log",
    retained: false,
    qos: 0,
    direction: "out",
    payload: logShape,
    description: "Log lines of `warn` and above.",
  },
  response: {
    path: "response/<command>",
    retained: false,
    qos: 1,
    direction: "out",
    payload: z.strictObject({
      transaction: z.string().nullable(),
      command: z.string(),
      status: z.enum(["accepted", "ok", "error"]),
      data: z.unknown().nullable(),
      error: errorShape.nullable(),
    }),
    description: "The answer to a command.",
  },
  command: {
    path: "cmd/<command>",
    retained: false,
    qos: 1,
    direction: "in",
    payload: z.looseObject({}),
    description: "A JSON object, `{}` for the defaults. Retained messages are never executed.",
  },
} as const;

export const commands = {
  scan: command(
    "starts",
    "Looks for new, changed and vanished books: one operation per root.",
    {
      root: id.optional().describe("a root's id"),
      path: folderPath
        .optional()
        .describe("a folder of that root; without `root` only where there is one root"),
      force: z.boolean().default(false).describe("reads unchanged files again too"),
    },
    started,
  ),
  organize: command(
    "starts_or_reads",
    "Puts books where the pattern says: all of a batch, or none of it. With `dry_run` it only answers what it would do.",
    {
      books: bookIds.optional().describe("ids; without `books` and `query` all that are due"),
      query: searched
        .refine((text) => foldText(text) !== "", "holds nothing to search for")
        .optional()
        .describe("the books that this text finds; not beside `books`"),
      strategy: z.enum(strategies).optional().describe("instead of the configured one"),
      dry_run: z.boolean().default(false).describe("touches nothing, and answers `ok` with the plan at once"),
    },
    z.union([started, planShape]),
    ["books", "query"],
  ),
  undo: command(
    "starts",
    "Takes back what an organize did.",
    {
      operation_id: id.optional().describe("of the organize; without it the last one that can be undone"),
      partial: z
        .boolean()
        .default(false)
        .describe("undoes the rest where files refuse; without it nothing is undone then"),
    },
    started,
  ),
  verify: command(
    "starts",
    "Reads organized files again and compares them with what was recorded of them.",
    {
      root: id.optional().describe("a root's id"),
      path: folderPath
        .optional()
        .describe("a folder of that root; without `root` only where there is one root"),
      books: bookIds.optional().describe("ids; of these only what lies in `root` and `path`, where given"),
      priority: lowPriority,
    },
    started,
  ),
  history: command(
    "reads",
    "What was organized and undone, newest first.",
    { operation_id: id.optional().describe("that batch alone, with from where to where"), limit, offset },
    z.strictObject({ items: z.array(batchShape), total: z.int().describe("of all that are remembered") }),
  ),
  query: command(
    "reads",
    "Finds books.",
    {
      text: searched.optional().describe("words or their beginnings, anywhere"),
      author: searched.optional(),
      series: searched.optional(),
      narrator: searched.optional(),
      state: z.enum(bookStates).optional(),
      sort: z.enum(["title", "author", "series", "added", "duration"]).optional(),
      gaps: z
        .boolean()
        .default(false)
        .describe("names the series with missing numbers too, those of `author` and `series` where given"),
      limit,
      offset,
    },
    z.strictObject({
      items: z.array(bookSummaryShape),
      total: z.int().describe("of all matches, not of the page"),
      generation: z.int().describe("rises with every change of a book"),
      cached: z.boolean(),
      gaps: z
        .array(
          z.strictObject({
            series: z.string(),
            author: z.string().nullable(),
            present: z.array(z.string()).describe("positions, in natural order"),
            missing: z.array(z.string()).describe("whole numbers below the highest that are not there"),
          }),
        )
        .optional()
        .describe("the first 200, where they were asked for"),
    }),
  ),
  book: command("reads", "One book whole.", { id }, bookShape),
  operations: command(
    "reads",
    "Operations, newest first.",
    { state: z.enum(operationStates).optional(), limit, offset },
    z.strictObject({ items: z.array(operationShape), total: z.int() }),
  ),
  cancel: command(
    "acts",
    "Ends an operation; a running one at its next safe point.",
    { operation_id: id.optional().describe("without it the one that has run for the longest time") },
    z.strictObject({ operation_id: id, state: z.enum(operationStates) }),
  ),
  pause: command(
    "acts",
    "Holds back all operations, or those of a kind, across restarts too; what runs parks at its next safe point.",
    {
      kind: z.enum(operationKinds).optional(),
      paused: z.boolean().default(true).describe("`false` is resume, so that one topic serves a switch"),
    },
    z.strictObject(queueShape),
  ),
  resume: command(
    "acts",
    "Lets operations go on: those of a kind, or all, whatever was paused.",
    { kind: z.enum(operationKinds).optional() },
    z.strictObject(queueShape),
  ),
  retry: command(
    "starts",
    "Tries again what has failed or was cancelled, or now what waits for its next try.",
    { operation_id: id },
    started,
  ),
  configure: command(
    "acts",
    "Changes settings while the runner runs; they survive a restart. Answers with those in force.",
    {
      scan_concurrency: z.int().min(1).max(64).optional(),
      operation_concurrency: z.int().min(1).max(32).optional(),
      organize_strategy: z.enum(strategies).optional(),
      log_level: z.enum(["debug", "info", "warn", "error"]).optional(),
    },
    z.strictObject(settingsShape),
  ),
  diagnose: command("acts", "Runs the start-up checks again.", {}, z.strictObject(diagnosticsShape)),
  set: command(
    "acts",
    "Corrects a book. What is set here wins over every source; `null` and `[]` say that there is none.",
    { book: id, fields: bookFieldsInput },
    bookShape,
  ),
  fetch: command(
    "starts",
    "Asks sources about books: what is surely the same book is taken, what may be is laid before a person.",
    {
      books: bookIds.optional().describe("ids; without `books` and `query` all that are there"),
      query: searched
        .refine((text) => foldText(text) !== "", "holds nothing to search for")
        .optional()
        .describe("the books that this text finds; not beside `books`"),
      sources: z
        .array(id)
        .min(1)
        .max(32)
        .optional()
        .describe("names of sources; without it all that are configured"),
      priority: lowPriority,
    },
    started,
    ["books", "query"],
  ),
  match: command(
    "acts",
    "Says which book of a source a book is, or that it is none of those that were offered.",
    {
      book: id,
      source: id.optional().describe("the source's name"),
      id: z.string().min(1).max(200).optional().describe("the source's own id of the book"),
      reject: z
        .boolean()
        .default(false)
        .describe("it is not that book, nor any of the candidates where no `source` and `id` are given"),
    },
    bookShape,
  ),
  breaker: command(
    "acts",
    "Switches a source off until it is reset, or asks it again at once.",
    { source: id, action: z.enum(["reset", "isolate"]) },
    z.strictObject(breakerShape),
  ),
  reload: command(
    "acts",
    "Reads the configuration again.",
    {},
    z.strictObject({
      applied: z.array(z.string()).describe("keys that changed and are in force now"),
      needs_restart: z.array(z.string()).describe("keys that changed and need a restart"),
    }),
  ),
} as const;

export type CommandName = keyof typeof commands;
export type CommandInput<C extends CommandName> = Frozen<z.output<(typeof commands)[C]["input"]>>;
export type CommandData<C extends CommandName> = Frozen<z.output<(typeof commands)[C]["result"]>>;

/** Names that a command topic may end in; an answer's topic is made of no other. */
export const commandNamePattern = /^[a-z0-9_-]{1,64}$/;

export function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(commands, name);
}

/** Everything below `<base>/` that only the runner may say, by its first level. */
export const ownLevels: ReadonlySet<string> = new Set([
  ...Object.values(stateTopics).map((topic) => topic.path),
  ...Object.values(otherTopics).map((topic) => topic.path.split("/")[0] ?? ""),
  // Topics of later versions, which a response topic must not take either.
  "breaker",
]);

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;

function state<Shape extends z.ZodRawShape>(
  path: string,
  shape: Shape,
  description: string,
  pace: Pace<Frozen<z.output<z.ZodObject<Shape>>>>,
  expirySeconds: number | null = null,
): StateTopic<Shape> {
  return { path, payload: z.strictObject({ ...shape, ...stamp }), description, pace, expirySeconds };
}
