import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { runOperation } from "./run-operation.ts";
import type { PlaceFlags } from "./sources.ts";

export interface RetryFlags extends PlaceFlags {
  readonly id: string;
  readonly wait: boolean;
}

/** `tomekeeper retry ID`: tries again what has failed or was cancelled, or now what waits for its next try. */
export async function retry(flags: RetryFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const payload = { operation_id: flags.id };
    return await runOperation(
      runner,
      { command: "retry", topic: "scan", payload, wait: flags.wait, isJson: flags.json },
      line,
      (ended) => {
        const { operation_id: id, state } = ended as {
          readonly operation_id: string;
          readonly state: string;
        };
        return `operation ${id} is ${state}`;
      },
    );
  } finally {
    await runner.close();
  }
}
