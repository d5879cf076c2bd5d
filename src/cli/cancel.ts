import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";

export interface CancelFlags extends PlaceFlags {
  readonly id?: string | undefined;
}

/** `tomekeeper cancel [ID]`: ends an operation; a running one at its next safe point. */
export async function cancel(flags: CancelFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const ended = await runner.request("cancel", flags.id === undefined ? {} : { operation_id: flags.id });
    line.out(flags.json ? JSON.stringify(ended) : `operation ${ended.operation_id} is ${ended.state}`);
    return 0;
  } finally {
    await runner.close();
  }
}
