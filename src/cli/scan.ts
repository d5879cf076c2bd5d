import path from "node:path";
import type { Config } from "../config/schema.ts";
import { AppError } from "../errors.ts";
import { reachBroker } from "../health/broker.ts";
import type { CommandLine } from "./command-line.ts";
import { connectToRunner, type RunnerLink } from "./connection.ts";
import { findRunner, loginOf } from "./find-runner.ts";
import { showScanProgress } from "./scan-progress.ts";
import { scanSummaryText } from "./scan-summary.ts";
import { configOf, type SettingFlags } from "./sources.ts";
import { sizeThreadPool, startRunner } from "./start-runner.ts";

export interface ScanFlags extends SettingFlags {
  readonly root?: string | undefined;
  readonly path?: string | undefined;
  readonly force: boolean;
  readonly priority?: string | undefined;
  readonly wait: boolean;
}

/** `tomekeeper scan`: asks the running runner, or starts one for the scan and ends it afterwards. */
export async function scan(flags: ScanFlags, line: CommandLine): Promise<number> {
  const { config } = configOf(flags, line);
  sizeThreadPool(config);
  const payload = payloadOf(flags, config, line.cwd);
  const runner = await runningRunner(flags, line);
  if (runner === null) return await scanWithOwnRunner(flags, payload, line);
  try {
    return await scanWith(runner, flags, payload, line);
  } finally {
    await runner.close();
  }
}

/** Null where there is none, unless the user named a broker: then it is that one or nothing. */
async function runningRunner(flags: ScanFlags, line: CommandLine): Promise<RunnerLink | null> {
  try {
    return await findRunner(flags, line);
  } catch (error) {
    if (error instanceof AppError && error.code === "no_runner" && flags.broker === undefined) return null;
    throw error;
  }
}

/** An absolute path is understood as a folder of the root that it lies in. */
function payloadOf(flags: ScanFlags, config: Config, cwd: string): Readonly<Record<string, unknown>> {
  const { root, path: wanted, force, priority } = flags;
  const common = { force, ...(priority === undefined ? {} : { priority }) };
  if (wanted === undefined) return { ...common, ...(root === undefined ? {} : { root }) };
  if (root === undefined && (path.isAbsolute(wanted) || /^\.{1,2}(\/|$)/.test(wanted))) {
    const folder = path.resolve(cwd, wanted);
    const found = config.roots.find((candidate) => isSameOrInside(folder, candidate.path));
    if (found !== undefined) return { ...common, root: found.id, path: path.relative(found.path, folder) };
  }
  return { ...common, path: wanted, ...(root === undefined ? {} : { root }) };
}

function isSameOrInside(folder: string, above: string): boolean {
  const relative = path.relative(above, folder);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`);
}

async function scanWithOwnRunner(
  flags: ScanFlags,
  payload: Readonly<Record<string, unknown>>,
  line: CommandLine,
): Promise<number> {
  const result = await configForOneScan(flags, line);
  if (!flags.json) line.err(`no runner uses ${result.config.data_dir}: starting one for this scan`);
  const app = await startRunner(result, () => result);
  try {
    const { url, base } = app.ready;
    const node = base.slice(base.indexOf("/") + 1);
    const runner = await connectToRunner({ url, node, ...loginOf(result.config) });
    try {
      return await scanWith(runner, { ...flags, wait: true }, payload, line);
    } finally {
      await runner.close();
    }
  } finally {
    await app.stop();
  }
}

/** The user's configuration, but only the asked-for scan, quiet, and a broker of its own where the usual is away. */
async function configForOneScan(flags: ScanFlags, line: CommandLine) {
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

async function scanWith(
  runner: RunnerLink,
  flags: ScanFlags,
  payload: Readonly<Record<string, unknown>>,
  line: CommandLine,
): Promise<number> {
  if (!flags.wait) {
    const accepted = await runner.request("scan", payload);
    line.out(
      flags.json ? JSON.stringify(accepted) : `operation ${accepted.operation_ids.join(", ")} is queued`,
    );
    return 0;
  }
  const progress = await showScanProgress(runner, flags.json, line);
  try {
    let operation = "";
    const answer = runner.request("scan", payload, (data) => {
      operation = String(data["operation_id"]);
    });
    const ended = await Promise.race([answer, aborted(line.signal)]);
    progress.stop();
    if (ended === null) {
      line.err(`the scan goes on without you: \`tomekeeper cancel ${operation}\` ends it`);
      return 130;
    }
    line.out(flags.json ? JSON.stringify(ended) : scanSummaryText(ended, line));
    return 0;
  } finally {
    progress.stop();
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  if (signal.aborted) return Promise.resolve(null);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }));
}
