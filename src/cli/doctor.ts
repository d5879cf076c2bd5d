import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { printable, statusStyle, styled } from "./format.ts";
import type { SettingFlags } from "./sources.ts";
export async function doctor(flags: SettingFlags, line: CommandLine): Promise<number> {
  const runner = await findRunner(flags, line);
  try {
    const found = await runner.request("diagnose", {});
    line.out(
      flags.json ? JSON.stringify(found) : printable(styled(line, statusStyle(found.worst), found.worst)),
    );
    return found.worst === "fatal" ? 3 : 0;
  } finally {
    await runner.close();
  }
}
