import type { CommandLine } from "./command-line.ts";
import { undoSummaryText } from "./organize-summary.ts";
import { runOperation } from "./run-operation.ts";
import type { SettingFlags } from "./sources.ts";
import { withRunner } from "./with-runner.ts";

export interface UndoFlags extends SettingFlags {
  readonly id?: string | undefined;
  readonly partial: boolean;
  readonly wait: boolean;
}

/** `tomekeeper undo [ID]`: takes back what an organize did, the last one without an id. */
export async function undo(flags: UndoFlags, line: CommandLine): Promise<number> {
  const { id, partial } = flags;
  const payload = { partial, ...(id === undefined ? {} : { operation_id: id }) };
  return await withRunner(flags, line, "this undo", (runner, isOwn) =>
    runOperation(
      runner,
      { command: "undo", topic: "organize", payload, wait: flags.wait || isOwn, isJson: flags.json },
      line,
      undoSummaryText,
    ),
  );
}
