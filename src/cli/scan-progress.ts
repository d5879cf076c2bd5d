import { SingleBar } from "cli-progress";
import type { StateBody } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { countText, durationText, printable } from "./format.ts";

type ScanState = StateBody<"scan">;

/** How often a log gets a line about a scan that goes on in the same state. */
const plainLineEveryMs = 10_000;

/** Shows the scan's progress on standard error: a bar on a terminal, else a line now and then; nothing if quiet. */
export async function showScanProgress(
  runner: RunnerLink,
  isQuiet: boolean,
  line: CommandLine,
): Promise<{ readonly stop: () => void }> {
  if (isQuiet) return { stop: () => {} };
  const shown = line.progressStream === null ? plainLines(line) : bar(line.progressStream);
  await runner.listen(["scan"], (_, payload) => {
    const scan = payload as ScanState;
    if (scan.state !== "idle") shown.show(scan);
  });
  return { stop: shown.stop };
}

interface Shown {
  readonly show: (scan: ScanState) => void;
  readonly stop: () => void;
}

function bar(stream: NodeJS.WriteStream): Shown {
  const drawn = new SingleBar({
    stream,
    format: "{state} {bar} {percent} {counts}",
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
  });
  let isStarted = false;
  return {
    show: (scan) => {
      const facts = { state: scan.state, percent: percentText(scan), counts: countsText(scan) };
      if (isStarted) drawn.update(scan.percent ?? 0, facts);
      else drawn.start(100, scan.percent ?? 0, facts);
      isStarted = true;
    },
    stop: () => drawn.stop(),
  };
}

function plainLines(line: CommandLine): Shown {
  let lastState = "";
  let lastAt = 0;
  return {
    show: (scan) => {
      const now = performance.now();
      if (scan.state === lastState && now - lastAt < plainLineEveryMs) return;
      lastState = scan.state;
      lastAt = now;
      line.err([scan.state, percentText(scan), countsText(scan)].filter((part) => part !== "").join(", "));
    },
    stop: () => {},
  };
}

function percentText({ percent }: ScanState): string {
  return percent === null ? "" : `${Math.floor(percent)} %`;
}

/** `120 of 400 files, 30 books, 12 s left: Author/Title` */
export function countsText(scan: ScanState): string {
  const left = scan.eta_seconds === null ? [] : [`${durationText(scan.eta_seconds)} left`];
  const problems = scan.problems === 0 ? [] : [countText(scan.problems, "problem")];
  const parts = [
    `${scan.files_done} of ${scan.files_found} files`,
    `${scan.books_found} books`,
    ...problems,
    ...left,
  ];
  return printable(parts.join(", "));
}
