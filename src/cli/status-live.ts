import { MultiBar, type SingleBar } from "cli-progress";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { printable } from "./format.ts";
import type { Status } from "./status.ts";
import { statusLines } from "./status-lines.ts";

/** At most this many operations are drawn with a bar; the queue's line says how many there are. */
const shownOperations = 5;

interface LiveStatus {
  readonly show: (known: Status) => void;
  readonly stop: () => void;
}

/** Draws the status in place: a line per fact, then a bar per running operation. */
export function liveStatus(runner: Pick<RunnerLink, "url" | "base">, line: CommandLine): LiveStatus {
  const view = new MultiBar({
    stream: process.stdout,
    format: "{text}",
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    fps: 5,
    emptyOnZero: true,
  });
  let rows: SingleBar[] = [];
  return {
    show: (known) => {
      const running = (known.queue?.running ?? []).slice(0, shownOperations);
      const texts = statusLines(runner, withoutRunning(known), line);
      if (rows.length !== texts.length + running.length) {
        for (const row of rows) view.remove(row);
        rows = [
          ...texts.map((text) => view.create(1, 0, { text }, { format: "{text}" })),
          ...running.map(() => view.create(100, 0, {}, { format: "  {bar} {far} {what}" })),
        ];
      }
      texts.forEach((text, i) => {
        rows[i]?.update({ text });
      });
      running.forEach(({ kind, scope, percent }, i) => {
        const far = percent === null ? "…".padStart(5) : `${Math.floor(percent)} %`.padStart(5);
        rows[texts.length + i]?.update(percent ?? 0, { far, what: printable(`${kind} of ${scope}`) });
      });
    },
    stop: () => view.stop(),
  };
}

function withoutRunning(known: Status): Status {
  return known.queue === undefined ? known : { ...known, queue: { ...known.queue, running: [] } };
}
