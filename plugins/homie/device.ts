import { createHash } from "node:crypto";
import { eventTypes, type HubContext, type StateBody, strategies } from "../../src/plugin.ts";

/** A property, in the words of the convention's device description. */
interface Description {
  readonly name: string;
  readonly datatype: "integer" | "float" | "boolean" | "string" | "enum" | "datetime";
  readonly format?: string;
  readonly unit?: string;
  readonly settable?: true;
  /** Absent: retained. False for a moment: what happens, or is pressed. */
  readonly retained?: false;
}

type Context = HubContext<unknown>;
type Commands = Pick<Context, "command">;
type States = Pick<Context, "onState" | "onEvent">;
type Value = string | number | boolean | null;
/** To be called with each value that the property takes. */
type Report = (value: Value) => void;

/** A property of a node, with where its value comes from and what setting it does. */
export interface Property {
  readonly description: Description;
  /** Absent where it has no value: something that is only set. */
  readonly follow?: (states: States, report: Report) => void;
  /** Present where it can be set; given only what the description allows. */
  readonly set?: (value: string, commands: Commands) => Promise<unknown>;
}

interface Node {
  readonly name: string;
  readonly properties: Readonly<Record<string, Property>>;
}

export type Nodes = Readonly<Record<string, Node>>;

const scanStates = ["idle", "walking", "reading", "saving", "paused", "resuming", "failed"];
const breakerStates = ["closed", "open", "half_open", "isolated"];
const count = { datatype: "integer", unit: "#" } as const;

/** The device's nodes by their ids, in a fixed order. A source has a node of its own. */
export function nodesOf(sources: readonly string[]): Nodes {
  return {
    library: {
      name: "Library",
      properties: {
        books: library({ name: "Books", ...count }, ({ books }) => books),
        authors: library({ name: "Authors", ...count }, ({ authors }) => authors),
        series: library({ name: "Series", ...count }, ({ series }) => series),
        size: library({ name: "Size", datatype: "integer", unit: "B" }, ({ bytes }) => bytes),
        duration: library(
          { name: "Total duration", datatype: "float", unit: "s" },
          ({ duration_seconds }) => duration_seconds,
        ),
        missing: library({ name: "Missing books", ...count }, ({ missing }) => missing),
        "needs-review": library({ name: "Books to review", ...count }, ({ needs_review }) => needs_review),
        "last-scan": library({ name: "Last scan", datatype: "datetime" }, ({ last_scan }) => last_scan),
      },
    },
    scan: {
      name: "Scan",
      properties: {
        state: {
          description: { name: "State", datatype: "enum", format: scanStates.join(",") },
          follow: ({ onState }, report) => onState("scan", ({ state }) => report(state)),
        },
        progress: {
          description: { name: "Progress", datatype: "float", format: "0:100", unit: "%" },
          follow: ({ onState }, report) => onState("scan", ({ percent }) => report(percent)),
        },
        "time-left": {
          description: { name: "Time left", datatype: "float", unit: "s" },
          follow: ({ onState }, report) => onState("scan", ({ eta_seconds }) => report(eta_seconds)),
        },
        start: button("Scan", ({ command }) => command("scan", {})),
      },
    },
    organize: {
      name: "Organize",
      properties: {
        "last-organized": {
          description: { name: "Last organized", datatype: "datetime" },
          follow: ({ onState }, report) =>
            onState("organize", ({ last_batch }) => report(last_batch?.finished_at ?? null)),
        },
        start: button("Organize", ({ command }) => command("organize", {})),
        undo: button("Undo last organize", ({ command }) => command("undo", {})),
      },
    },
    metadata: {
      name: "Metadata",
      properties: { fetch: button("Fetch metadata", ({ command }) => command("fetch", {})) },
    },
    queue: {
      name: "Queue",
      properties: {
        state: {
          description: { name: "State", datatype: "enum", format: "running,paused,stopped" },
          follow: ({ onState }, report) => onState("queue", ({ state }) => report(state)),
        },
        depth: {
          description: { name: "Depth", ...count },
          follow: ({ onState }, report) =>
            onState("queue", ({ counts }) => report(counts.queued + counts.waiting)),
        },
        running: {
          description: { name: "Running operation", datatype: "string" },
          follow: ({ onState }, report) =>
            onState("queue", ({ running: [first] }) =>
              report(first === undefined ? null : `${first.kind} ${first.scope}`),
            ),
        },
        paused: {
          description: { name: "Paused", datatype: "boolean", settable: true },
          follow: ({ onState }, report) => onState("queue", ({ state }) => report(state === "paused")),
          set: (value, { command }) => command("pause", { paused: value === "true" }),
        },
        cancel: button("Cancel current operation", ({ command }) => command("cancel", {})),
      },
    },
    diagnostics: {
      name: "Diagnostics",
      properties: {
        worst: {
          description: { name: "Worst", datatype: "enum", format: "ok,warn,fatal" },
          follow: ({ onState }, report) => onState("diagnostics", ({ worst }) => report(worst)),
        },
        memory: {
          description: { name: "Memory", datatype: "enum", format: "normal,elevated,critical" },
          follow: ({ onState }, report) => onState("memory", ({ level }) => report(level)),
        },
        run: button("Run diagnostics", ({ command }) => command("diagnose", {})),
      },
    },
    settings: {
      name: "Settings",
      properties: {
        "scan-concurrency": concurrency("Scan concurrency", "scan_concurrency", 64),
        "operation-concurrency": concurrency("Operations at once", "operation_concurrency", 32),
        "organize-strategy": choice("Organize strategy", "organize_strategy", strategies),
        "log-level": choice("Log level", "log_level", ["debug", "info", "warn", "error"]),
      },
    },
    activity: {
      name: "Activity",
      properties: {
        event: {
          description: { name: "Event", datatype: "enum", format: eventTypes.join(","), retained: false },
          follow: ({ onEvent }, report) => onEvent(({ event_type }) => report(event_type)),
        },
      },
    },
    ...Object.fromEntries(sources.map((source) => [`source-${source}`, sourceNode(source)])),
  };
}

function sourceNode(source: string): Node {
  return {
    name: source,
    properties: {
      breaker: {
        description: { name: "Breaker", datatype: "enum", format: breakerStates.join(",") },
        follow: ({ onState }, report) =>
          onState("breaker", (breaker) => {
            if (breaker.source === source) report(breaker.state);
          }),
      },
    },
  };
}

function library(description: Description, read: (library: StateBody<"library">) => Value): Property {
  return {
    description,
    follow: ({ onState }, report) => onState("library", (body) => report(read(body))),
  };
}

/** Something to press: it has no value, and one word sets it. */
function button(name: string, press: (commands: Commands) => Promise<unknown>): Property {
  return {
    description: { name, datatype: "enum", format: "press", settable: true, retained: false },
    set: (_, commands) => press(commands),
  };
}

function concurrency(
  name: string,
  key: "scan_concurrency" | "operation_concurrency",
  most: number,
): Property {
  return {
    description: { name, datatype: "integer", format: `1:${most}`, settable: true },
    follow: ({ onState }, report) => onState("settings", (settings) => report(settings[key])),
    set: (value, { command }) => command("configure", { [key]: Number(value) }),
  };
}

function choice(name: string, key: "organize_strategy" | "log_level", options: readonly string[]): Property {
  return {
    description: { name, datatype: "enum", format: options.join(","), settable: true },
    follow: ({ onState }, report) => onState("settings", (settings) => report(settings[key])),
    set: (value, { command }) => command("configure", { [key]: value }),
  };
}

/** Why the description does not allow that value to be set; null where it does. */
export function refusalOf({ datatype, format = "" }: Description, value: string): string | null {
  if (datatype === "boolean") return ["true", "false"].includes(value) ? null : "is neither true nor false";
  if (datatype === "enum") return format.split(",").includes(value) ? null : `is none of ${format}`;
  const [least = Number.NaN, most = Number.NaN] = format.split(":").map(Number);
  const isWithin = /^-?\d{1,15}$/.test(value) && Number(value) >= least && Number(value) <= most;
  return isWithin ? null : `is no whole number from ${least} to ${most}`;
}

/** As a payload. Nothing takes the value away: the convention knows no other word for it. */
export function payloadOf(value: Value): string {
  return value === null ? "" : String(value);
}

/** The device description document. The same nodes give the same bytes, other nodes another `version`. */
export function describe(name: string, nodes: Nodes): string {
  const described = Object.entries(nodes).map(([id, { name, properties }]) => [
    id,
    {
      name,
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, { description }]) => [key, description]),
      ),
    },
  ]);
  const document = { homie: "5.0", name, type: "audiobook-library", nodes: Object.fromEntries(described) };
  const version = createHash("sha256").update(JSON.stringify(document)).digest().readUInt32BE();
  return JSON.stringify({ ...document, version });
}
