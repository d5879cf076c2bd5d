import { SingleBar } from "cli-progress";
import type { StateBody } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { countText, durationText, printable, sizeText } from "./format.ts";

type ScanState = StateBody<"scan">;
type OrganizeState = StateBody<"organize">;

/** How often a log gets a line about work that goes on in the same state. */
const plainLineEveryMs = 10_000;

/** Shows progress on standard error: a bar on a terminal, else a line now and then; nothing if quiet. */
export async function showProgress(
  topic: "scan" | "organize",
  runner: RunnerLink,
  isQuiet: boolean,
  line: CommandLine,
): Promise<{ readonly stop: () => void }> {
  if (isQuiet) return { stop: () => {} };
  const shown = line.progressStream === null ? plainLines(line) : bar(line.progressStream);
  await runner.listen([topic], (_, payload) => {
    const state = payload as ScanState | OrganizeState;
    if (state.state === "idle") return;
    const counts = "dirs_found" in state ? countsText(state) : organizeCountsText(state);
    shown.show({ state: state.state, percent: state.percent, counts });
  });
  return { stop: shown.stop };
}

interface Progress {
  readonly state: string;
  readonly percent: number | null;
  readonly counts: string;
}

interface Shown {
  readonly show: (progress: Progress) => void;
  readonly stop: () => void;
}

function bar(stream: NodeJS.WriteStream): Shown {
  const drawn = new SingleBar({
    stream,
    format: "{state} {bar} {share} {counts}",
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    clearOnComplete: true,
    emptyOnZero: true,
  });
  let isStarted = false;
  return {
    show: ({ state, percent, counts }) => {
      const facts = { state, share: percentText(percent), counts };
      if (isStarted) drawn.update(percent ?? 0, facts);
      else drawn.start(100, percent ?? 0, facts);
      isStarted = true;
    },
    stop: () => drawn.stop(),
  };
}

function plainLines(line: CommandLine): Shown {
  let lastState = "";
  let lastAt = 0;
  return {
    show: ({ state, percent, counts }) => {
      const now = performance.now();
      if (state === lastState && now - lastAt < plainLineEveryMs) return;
      lastState = state;
      lastAt = now;
      line.err([state, percentText(percent), counts].filter((part) => part !== "").join(", "));
    },
    stop: () => {},
  };
}

function percentText(percent: number | null): string {
  return percent === null ? "" : `${Math.floor(percent)} %`;
}

/** `2 of 9 books, 12 of 80 files, 1.2 GB of 4 GB` */
function organizeCountsText(organize: OrganizeState): string {
  if (organize.files_total === 0) return "";
  return [
    `${organize.books_done} of ${countText(organize.books_total, "book")}`,
    `${organize.files_done} of ${countText(organize.files_total, "file")}`,
    `${sizeText(organize.bytes_done)} of ${sizeText(organize.bytes_total)}`,
  ].join(", ");
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
