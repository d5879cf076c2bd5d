import type { StateBody, StateKey } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";
import { statusLines } from "./status-lines.ts";
import { liveStatus } from "./status-live.ts";

export interface StatusFlags extends PlaceFlags {
  /** Undefined: live on a terminal, one snapshot else. */
  readonly watch?: boolean | undefined;
}

const shownTopics = ["info", "scan", "queue", "library", "diagnostics", "memory", "health"] as const;

/** What is known so far; a topic that has not come yet is absent. */
export type Status = { readonly [K in StateKey]?: StateBody<K> } & { readonly availability?: string };

/** `tomekeeper status`: what the runner is doing, once, or live until it is interrupted. */
export async function status(flags: StatusFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const isLive = flags.watch ?? (line.isTerminal && !flags.json);
    return isLive ? await watch(runner, flags, line) : await once(runner, flags, line);
  } finally {
    await runner.close();
  }
}

/** Retained messages follow their subscription; a topic without one leaves its place empty after this time. */
const snapshotLimitMs = 1500;

async function once(runner: RunnerLink, flags: StatusFlags, line: CommandLine): Promise<number> {
  const all = Promise.withResolvers<void>();
  const timer = setTimeout(() => all.resolve(), snapshotLimitMs);
  let known: Status = {};
  await runner.listen(["availability", ...shownTopics], (topic, payload) => {
    known = { ...known, [topic]: payload };
    // The first health comes a minute after the start, and need not be waited for.
    if (shownTopics.every((shown) => shown in known || shown === "health")) all.resolve();
  });
  await all.promise;
  clearTimeout(timer);
  line.out(flags.json ? JSON.stringify(known) : statusLines(runner, known, line).join("\n"));
  return 0;
}

async function watch(runner: RunnerLink, flags: StatusFlags, line: CommandLine): Promise<number> {
  const ended = new Promise<void>((resolve) =>
    line.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  const view = flags.json || !line.isTerminal ? null : liveStatus(runner, line);
  let known: Status = {};
  let before: readonly string[] = [];
  await runner.listen(["availability", ...shownTopics], (topic, payload) => {
    known = { ...known, [topic]: payload };
    if (flags.json) line.out(JSON.stringify({ topic, payload }));
    else if (view !== null) view.show(known);
    else {
      const now = statusLines(runner, known, line);
      for (const text of now) if (!before.includes(text)) line.out(text);
      before = now;
    }
  });
  if (!line.signal.aborted) await ended;
  view?.stop();
  return 0;
}
