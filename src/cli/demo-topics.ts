import type { CommandLine } from "./command-line.ts";
import type { Heard } from "./demo-client.ts";
import { durationText, printable, sizeText, statusStyle, styled } from "./format.ts";

type Paper = Pick<CommandLine, "columns" | "hasColor">;

export interface TopicLines {
  /** The lines to print for a message: none where it says nothing new to a person. */
  readonly heard: (message: Heard, elapsedMs: number) => readonly string[];
  /** What was held back, for the end of the show. */
  readonly rest: () => readonly string[];
}

/** How many events of one type are shown one by one before the others are only counted. */
const shownEvents = 4;
const topicWidth = 14;

/** Messages as a person reads them, a line each: when, which topic, and the keys that matter. */
export function createTopicLines(paper: Paper): TopicLines {
  const events = new Map<string, number>();
  const shownStates = new Map<string, string>();
  const line = (when: string, topic: string, text: string) => topicLine(paper, when, topic, text);
  return {
    heard: ({ topic, payload }, elapsedMs) => {
      const when = `${(elapsedMs / 1000).toFixed(2)} s`;
      if (topic === "event") {
        const type = textOf(payload, "event_type");
        const count = (events.get(type) ?? 0) + 1;
        events.set(type, count);
        return count > shownEvents ? [] : [line(when, topic, eventText(paper, type, payload))];
      }
      const text = messageText(paper, topic, payload);
      // A state whose shown keys are the same is no news.
      if (shownStates.get(topic) === text && !topic.includes("/")) return [];
      shownStates.set(topic, text);
      return [line(when, topic, text)];
    },
    rest: () =>
      [...events]
        .filter(([, count]) => count > shownEvents)
        .map(([type, count]) =>
          line("", "event", styled(paper, "dim", `… and ${count - shownEvents} more ${type}`)),
        ),
  };
}

function topicLine(paper: Paper, when: string, topic: string, text: string): string {
  const isAsked = topic.startsWith("cmd/");
  const colour = isAsked ? "magenta" : topic.startsWith("response/") ? "green" : "cyan";
  const head = `${styled(paper, "dim", when.padStart(8))}  ${styled(paper, colour, topic.padEnd(topicWidth))}`;
  return `${head} ${cut(text, paper.columns - 8 - 2 - topicWidth - 1)}`;
}

/** The text of one message; JSON keys keep their names, so that what is seen here is found on the wire. */
function messageText(paper: Paper, topic: string, payload: unknown): string {
  const keys = (...names: readonly string[]) => keysText(paper, payload, names);
  const [first = ""] = topic.split("/");
  switch (first) {
    case "availability":
      return styled(paper, payload === "online" ? "green" : "yellow", String(payload));
    case "info":
      return `${keys("version")} ${pair(paper, "roots", listOf(payload, "roots").map(rootText).join(", "))}`;
    case "scan":
      return keys(
        "state",
        "root_id",
        "percent",
        ...countedKeys(payload, "books_found", "files_found", "problems"),
      );
    case "queue":
      return queueText(paper, payload);
    case "library":
      return [
        keys("books", "authors", "series", "files", "needs_review"),
        pair(paper, "bytes", sizeText(numberOf(payload, "bytes"))),
        pair(paper, "duration", durationText(numberOf(payload, "duration_seconds"))),
      ].join(" ");
    case "diagnostics":
      return `${keys("worst")} ${pair(paper, "checks", String(listOf(payload, "checks").length))}`;
    case "settings":
      return keys("scan_concurrency", "operation_concurrency", "organize_strategy", "log_level");
    case "memory":
      return `${keys("level")} ${pair(paper, "rss", sizeText(numberOf(payload, "rss_bytes")))}`;
    case "health":
      return keys("uptime_seconds", "event_loop_delay_p99_ms", "worst_diagnostic");
    case "log":
      return printable(`${textOf(payload, "level")} ${textOf(payload, "message")}`);
    case "response":
      return responseText(paper, payload);
    default:
      return printable(JSON.stringify(payload));
  }
}

function eventText(paper: Paper, type: string, payload: unknown): string {
  const book = fieldOf(payload, "book");
  const by = listOf(book, "authors").join(", ");
  const about =
    book === undefined
      ? keysText(paper, payload, ["kind", "scope", "operation_id"])
      : `${styled(paper, "bold", printable(textOf(book, "title")))}${by === "" ? "" : printable(` by ${by}`)}`;
  return `${type.padEnd(13)} ${about}`;
}

function queueText(paper: Paper, payload: unknown): string {
  const running = listOf(payload, "running").map(
    (each) => `${textOf(each, "kind")} ${textOf(each, "scope")}`,
  );
  const waiting = listOf(payload, "waiting").length;
  return [
    keysText(paper, payload, ["state"]),
    pair(paper, "running", running.length === 0 ? "none" : running.join(", ")),
    pair(paper, "waiting", String(waiting)),
  ].join(" ");
}

function responseText(paper: Paper, payload: unknown): string {
  const data = fieldOf(payload, "data");
  const status = textOf(payload, "status");
  const shown = styled(paper, status === "accepted" ? "cyan" : status === "ok" ? "green" : "red", status);
  const summary = fieldOf(data, "summary");
  const facts =
    summary === undefined
      ? keysText(paper, data, ["total", "operation_id", "cached"])
      : keysText(paper, summary, ["books", "files", "problem_count", "seconds"]);
  return `${shown} ${facts}`;
}

/** Those of the keys that count anything yet. */
function countedKeys(payload: unknown, ...names: readonly string[]): readonly string[] {
  return names.filter((name) => numberOf(payload, name) > 0);
}

function rootText(root: unknown): string {
  return `${textOf(root, "id")} (${textOf(root, "kind")})`;
}

function keysText(paper: Paper, payload: unknown, names: readonly string[]): string {
  return names
    .filter((name) => fieldOf(payload, name) !== undefined && fieldOf(payload, name) !== null)
    .map((name) => pair(paper, name, textOf(payload, name)))
    .join(" ");
}

function pair(paper: Paper, name: string, value: string): string {
  const shown = name === "state" || name === "worst" || name === "level" ? statusStyle(value) : "reset";
  return `${styled(paper, "dim", `${name}=`)}${styled(paper, shown, printable(value))}`;
}

function fieldOf(payload: unknown, key: string): unknown {
  if (typeof payload !== "object" || payload === null) return undefined;
  return (payload as Readonly<Record<string, unknown>>)[key];
}

function textOf(payload: unknown, key: string): string {
  const value = fieldOf(payload, key);
  return typeof value === "number" && !Number.isInteger(value) ? value.toFixed(1) : String(value ?? "");
}

function numberOf(payload: unknown, key: string): number {
  const value = fieldOf(payload, key);
  return typeof value === "number" ? value : 0;
}

function listOf(payload: unknown, key: string): readonly unknown[] {
  const value = fieldOf(payload, key);
  return Array.isArray(value) ? value : [];
}

/** Cuts what a person sees, not the escape sequences between. */
function cut(text: string, room: number): string {
  const parts = text.split(/(\u001b\[[0-9;]*m)/);
  let left = room;
  let shown = "";
  for (const part of parts) {
    if (part.startsWith("\u001b")) {
      shown += part;
    } else if (part.length <= left) {
      shown += part;
      left -= part.length;
    } else {
      if (left > 0) shown += `${part.slice(0, left - 1)}…`;
      left = 0;
    }
  }
  return shown;
}
