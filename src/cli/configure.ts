import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";

export interface ConfigureFlags extends PlaceFlags {
  readonly scanConcurrency?: number | undefined;
  readonly operationConcurrency?: number | undefined;
  readonly organizeStrategy?: string | undefined;
  readonly logLevel?: string | undefined;
}

/** `tomekeeper configure`: changes settings of the running runner, and says what is in force. */
export async function configure(flags: ConfigureFlags, line: CommandLine): Promise<number> {
  const asked = {
    scan_concurrency: flags.scanConcurrency,
    operation_concurrency: flags.operationConcurrency,
    organize_strategy: flags.organizeStrategy,
    log_level: flags.logLevel,
  };
  const payload = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
  const runner = await findRunner(flags, line);
  try {
    const settings = await runner.request("configure", payload);
    if (flags.json) line.out(JSON.stringify(settings));
    else for (const [key, value] of Object.entries(settings)) line.out(`${key.padEnd(22)} ${value}`);
    return 0;
  } finally {
    await runner.close();
  }
}
