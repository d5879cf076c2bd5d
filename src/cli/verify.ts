import type { CommandLine } from "./command-line.ts";
import { verifySummaryText } from "./organize-summary.ts";
import { runOperation } from "./run-operation.ts";
import { folderOf } from "./scan.ts";
import { configOf, type SettingFlags } from "./sources.ts";
import { withRunner } from "./with-runner.ts";

export interface VerifyFlags extends SettingFlags {
  readonly root?: string | undefined;
  readonly path?: string | undefined;
  readonly books?: readonly string[] | undefined;
  readonly wait: boolean;
}

/** `tomekeeper verify [PATH]`: reads organized files again and compares them with what was recorded. */
export async function verify(flags: VerifyFlags, line: CommandLine): Promise<number> {
  const { config } = configOf(flags, line);
  const { books } = flags;
  const payload = { ...folderOf(flags, config, line.cwd), ...(books === undefined ? {} : { books }) };
  return await withRunner(flags, line, "this verify", (runner, isOwn) =>
    runOperation(
      runner,
      { command: "verify", topic: "organize", payload, wait: flags.wait || isOwn, isJson: flags.json },
      line,
      verifySummaryText,
    ),
  );
}
