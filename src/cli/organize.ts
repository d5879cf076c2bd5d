import type { Strategy } from "../domain/organize.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { previewTree } from "./organize-preview.ts";
import { conflictLines, organizeSummaryText } from "./organize-summary.ts";
import { runOperation } from "./run-operation.ts";
import type { SettingFlags } from "./sources.ts";
import { withRunner } from "./with-runner.ts";

export interface OrganizeFlags extends SettingFlags {
  readonly books?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly strategy?: Strategy | undefined;
  readonly dryRun: boolean;
  readonly preview: boolean;
  readonly wait: boolean;
}

/** `tomekeeper organize`: puts books where the pattern says, or shows what would be done. */
export async function organize(flags: OrganizeFlags, line: CommandLine): Promise<number> {
  const { books, query, strategy } = flags;
  const payload = {
    ...(books === undefined ? {} : { books }),
    ...(query === undefined ? {} : { query }),
    ...(strategy === undefined ? {} : { strategy }),
  };
  return await withRunner(flags, line, "this organize", async (runner, isOwn) => {
    if (flags.dryRun || flags.preview) return await preview(runner, payload, flags, line);
    return await runOperation(
      runner,
      { command: "organize", topic: "organize", payload, wait: flags.wait || isOwn, isJson: flags.json },
      line,
      organizeSummaryText,
    );
  });
}

async function preview(
  runner: RunnerLink,
  payload: Readonly<Record<string, unknown>>,
  flags: OrganizeFlags,
  line: CommandLine,
): Promise<number> {
  const plan = await runner.request("organize", { ...payload, dry_run: true });
  if (!("move_count" in plan)) throw new Error("a dry run was answered with an operation");
  if (flags.json) line.out(JSON.stringify(plan));
  else {
    line.out(previewTree(plan, line.columns));
    for (const text of conflictLines(plan.conflicts, plan.conflict_count)) line.out(text);
  }
  return 0;
}
