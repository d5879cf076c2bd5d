import type { StateBody } from "../bus/topics.ts";
import { AppError } from "../errors.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";
import { tableText } from "./table.ts";

export interface SourceListFlags extends PlaceFlags {
  readonly name?: string | undefined;
  readonly reset: boolean;
  readonly isolate: boolean;
}

type Breaker = StateBody<"breaker">;

/** Retained messages follow their subscription at once. */
const listenMs = 500;

/** `tomekeeper sources`: which metadata sources answer; switches one off, or asks it again. */
export async function sourceList(flags: SourceListFlags, line: CommandLine): Promise<number> {
  const { name, reset, isolate } = flags;
  if (reset && isolate) throw new AppError("invalid_payload", "--reset and --isolate exclude each other");
  if ((reset || isolate) && name === undefined) {
    throw new AppError("invalid_payload", "Name the source: tomekeeper sources NAME --reset");
  }
  const runner = await findRunner(flags, line);
  try {
    const shown =
      name !== undefined && (reset || isolate)
        ? [await runner.request("breaker", { source: name, action: reset ? "reset" : "isolate" })]
        : (await known(runner)).filter(({ source }) => name === undefined || source === name);
    if (flags.json) line.out(JSON.stringify(shown));
    else line.out(shown.length === 0 ? "no source of that name is in use" : sourcesText(shown, line));
    return shown.length === 0 && name !== undefined ? 1 : 0;
  } finally {
    await runner.close();
  }
}

async function known(runner: RunnerLink): Promise<readonly Breaker[]> {
  const bySource = new Map<string, Breaker>();
  await runner.listen(["breaker/+"], (_topic, payload) => {
    const breaker = payload as Breaker;
    bySource.set(breaker.source, breaker);
  });
  await new Promise((resolve) => setTimeout(resolve, listenMs));
  return [...bySource.values()].sort((a, b) => a.source.localeCompare(b.source, "en"));
}

const stateTexts: Readonly<Record<Breaker["state"], string>> = {
  closed: "works",
  open: "left alone",
  half_open: "being tried",
  isolated: "switched off",
};

export function sourcesText(breakers: readonly Breaker[], line: CommandLine): string {
  const columns = [
    { title: "Source", least: 12 },
    {
      title: "State",
      least: 12,
      style: (cell: string) => (cell === "works" ? "green" : "yellow") as "green" | "yellow",
    },
    { title: "Requests", least: 8, align: "right" as const, expendable: 2 },
    { title: "Saved", least: 5, align: "right" as const, expendable: 2 },
    { title: "Next try", least: 8, expendable: 1 },
    { title: "Last error", least: 20 },
  ];
  const rows = breakers.map((breaker) => [
    breaker.source,
    stateTexts[breaker.state],
    String(breaker.calls),
    String(breaker.coalesced),
    breaker.next_probe_at === null ? "" : new Date(breaker.next_probe_at).toLocaleTimeString("en-GB"),
    breaker.last_error?.message ?? "",
  ]);
  return tableText(line, columns, rows);
}
