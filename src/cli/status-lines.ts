import type { StateBody } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { countText, durationText, printable, sizeText, statusStyle, styled } from "./format.ts";
import { countsText } from "./scan-progress.ts";
import type { Status } from "./status.ts";

const nameWidth = 11;

/** The runner's state in lines that each stand for themselves. */
export function statusLines(
  runner: Pick<RunnerLink, "url" | "base">,
  known: Status,
  line: Pick<CommandLine, "hasColor">,
): readonly string[] {
  const fact = (name: string, text: string) => `${styled(line, "bold", name.padEnd(nameWidth))}${text}`;
  const state = (text: string) => styled(line, statusStyle(text), text);
  const { info, library, queue, scan, memory, diagnostics, health } = known;
  const lines = [
    fact(
      "Runner",
      `${runner.base} at ${runner.url}, ${state(known.availability ?? "unknown")}${versionText(info)}`,
    ),
  ];
  if (library !== undefined) lines.push(fact("Library", libraryText(library)));
  for (const root of info?.roots ?? [])
    lines.push(fact("Root", `${root.id} (${root.kind}), ${state(root.state)}`));
  if (queue !== undefined) lines.push(fact("Queue", queueText(queue)));
  if (scan !== undefined) lines.push(fact("Scan", scanText(scan)));
  for (const { kind, scope, percent } of queue?.running ?? []) {
    const far = percent === null ? "" : `, ${Math.floor(percent)} %`;
    lines.push(fact("Running", printable(`${kind} of ${scope}${far}`)));
  }
  if (memory !== undefined) {
    const share = `${sizeText(memory.rss_bytes)} of ${sizeText(memory.limit_bytes)}`;
    lines.push(fact("Memory", `${state(memory.level)}, ${share}`));
  }
  if (health !== undefined) {
    lines.push(
      fact(
        "Health",
        `up ${durationText(health.uptime_seconds)}, event loop ${health.event_loop_delay_p99_ms} ms late`,
      ),
    );
  }
  if (diagnostics !== undefined) {
    lines.push(fact("Diagnosis", state(diagnostics.worst)));
    for (const { check, severity, message } of diagnostics.checks) {
      if (severity !== "ok") lines.push(fact("", `${state(severity)} ${printable(`${check}: ${message}`)}`));
    }
  }
  return lines;
}

function versionText(info: StateBody<"info"> | undefined): string {
  return info === undefined ? "" : `, version ${info.version}`;
}

function libraryText(library: StateBody<"library">): string {
  const parts = [
    countText(library.books, "book"),
    countText(library.authors, "author"),
    countText(library.series, "series", "series"),
    durationText(library.duration_seconds),
    sizeText(library.bytes),
    ...(library.missing > 0 ? [`${library.missing} missing`] : []),
    ...(library.needs_review > 0 ? [`${library.needs_review} to review`] : []),
  ];
  return parts.join(", ");
}

function queueText({ state, counts, workers }: StateBody<"queue">): string {
  const waiting = counts.queued + counts.waiting;
  return `${state}, ${counts.running} running, ${waiting} waiting, ${countText(workers.current, "worker")}`;
}

function scanText(scan: StateBody<"scan">): string {
  if (scan.state === "idle")
    return scan.problems === 0 ? "idle" : `idle, ${countText(scan.problems, "problem")} in the last one`;
  const percent = scan.percent === null ? [] : [`${Math.floor(scan.percent)} %`];
  return [scan.state, ...percent, countsText(scan)].join(", ");
}
