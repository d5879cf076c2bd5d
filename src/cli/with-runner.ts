import { AppError } from "../errors.ts";
import { reachBroker } from "../health/broker.ts";
import type { CommandLine } from "./command-line.ts";
import { connectToRunner, type RunnerLink } from "./connection.ts";
import { findRunner, loginOf } from "./find-runner.ts";
import { configOf, type SettingFlags } from "./sources.ts";
import { startRunner } from "./start-runner.ts";

/** Hands the work the running runner, or one that is started for it and ended afterwards (`isOwn`). */
export async function withRunner(
  flags: SettingFlags,
  line: CommandLine,
  what: string,
  work: (runner: RunnerLink, isOwn: boolean) => Promise<number>,
): Promise<number> {
  const runner = await runningRunner(flags, line);
  if (runner === null) return await withOwnRunner(flags, line, what, work);
  try {
    return await work(runner, false);
  } finally {
    await runner.close();
  }
}

/** Resolves with null when the user interrupts. */
export function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }));
}

/** Null where there is none, unless the user named a broker: then it is that one or nothing. */
async function runningRunner(flags: SettingFlags, line: CommandLine): Promise<RunnerLink | null> {
  try {
    return await findRunner(flags, line);
  } catch (error) {
    if (error instanceof AppError && error.code === "no_runner" && flags.broker === undefined) return null;
    throw error;
  }
}

async function withOwnRunner(
  flags: SettingFlags,
  line: CommandLine,
  what: string,
  work: (runner: RunnerLink, isOwn: boolean) => Promise<number>,
): Promise<number> {
  const result = await configForOneUse(flags, line);
  if (!flags.json) line.err(`no runner uses ${result.config.data_dir}: starting one for ${what}`);
  const app = await startRunner(result, () => result);
  try {
    const { url, base } = app.ready;
    const node = base.slice(base.indexOf("/") + 1);
    const runner = await connectToRunner({ url, node, ...loginOf(result.config) });
    try {
      return await work(runner, true);
    } finally {
      await runner.close();
    }
  } finally {
    await app.stop();
  }
}

/** The user's configuration, but only the asked-for work, quiet, and a broker of its own where the usual is away. */
async function configForOneUse(flags: SettingFlags, line: CommandLine) {
  const { config } = configOf(flags, line);
  const { url, username, password, ca } = config.mqtt;
  const isReached =
    url !== null && (await reachBroker({ url, username, password, ca }).then(isTrue, isFalse));
  const flag = "scan";
  return configOf(flags, line, [
    { path: ["scan", "on_startup"], flag, value: false },
    { path: ["mqtt", "embedded", "port"], flag, value: 0 },
    ...(isReached ? [] : [{ path: ["mqtt", "url"], flag, value: null }]),
    ...(flags.logLevel === undefined ? [{ path: ["log_level"], flag, value: "warn" }] : []),
  ]);
}

const isTrue = () => true;
const isFalse = () => false;
