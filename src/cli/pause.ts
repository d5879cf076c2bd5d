import type { OperationKind } from "../domain/operation.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";

export interface PauseFlags extends PlaceFlags {
  readonly kind?: OperationKind | undefined;
}

/** `tomekeeper pause [KIND]` and `resume [KIND]`: holds back all operations, or those of a kind, and lets them go on. */
export async function pause(
  command: "pause" | "resume",
  flags: PauseFlags,
  line: CommandLine,
): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const queue = await runner.request(command, flags.kind === undefined ? {} : { kind: flags.kind });
    const kinds =
      queue.paused_kinds.length === 0 ? "" : `, paused by themselves: ${queue.paused_kinds.join(", ")}`;
    line.out(flags.json ? JSON.stringify(queue) : `the queue is ${queue.state}${kinds}`);
    return 0;
  } finally {
    await runner.close();
  }
}
