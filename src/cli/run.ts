import type { CommandLine } from "./command-line.ts";
import { configOf, type SettingFlags } from "./sources.ts";
import { startRunner } from "./start-runner.ts";

/** `tomekeeper run`: a runner from now until the process is asked to end. */
export async function run(flags: SettingFlags, line: CommandLine): Promise<number> {
  const app = await startRunner(configOf(flags, line), () => configOf(flags, line));
  const { url, base } = app.ready;
  line.out(flags.json ? JSON.stringify({ url, base }) : `tomekeeper ready ${url} ${base}`);
  await untilAborted(line.signal);
  await app.stop();
  return 0;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
