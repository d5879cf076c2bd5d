import path from "node:path";
import type { Config } from "../config/schema.ts";
import type { CommandLine } from "./command-line.ts";
import { runOperation } from "./run-operation.ts";
import { scanSummaryText } from "./scan-summary.ts";
import { configOf, type SettingFlags } from "./sources.ts";
import { sizeThreadPool } from "./start-runner.ts";
import { withRunner } from "./with-runner.ts";

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
  return await withRunner(flags, line, "this scan", (runner, isOwn) =>
    runOperation(
      runner,
      { command: "scan", topic: "scan", payload, wait: flags.wait || isOwn, isJson: flags.json },
      line,
      scanSummaryText,
    ),
  );
}

function payloadOf(flags: ScanFlags, config: Config, cwd: string): Readonly<Record<string, unknown>> {
  const { force, priority } = flags;
  return { force, ...(priority === undefined ? {} : { priority }), ...folderOf(flags, config, cwd) };
}

/** The folder that a command names, as its `root` and `path`; an absolute one is of the root that it lies in. */
export function folderOf(
  { root, path: wanted }: { readonly root?: string | undefined; readonly path?: string | undefined },
  config: Config,
  cwd: string,
): Readonly<Record<string, unknown>> {
  if (wanted === undefined) return root === undefined ? {} : { root };
  if (root === undefined && (path.isAbsolute(wanted) || /^\.{1,2}(\/|$)/.test(wanted))) {
    const folder = path.resolve(cwd, wanted);
    const found = config.roots.find((candidate) => isSameOrInside(folder, candidate.path));
    if (found !== undefined) return { root: found.id, path: path.relative(found.path, folder) };
  }
  return { path: wanted, ...(root === undefined ? {} : { root }) };
}

function isSameOrInside(folder: string, above: string): boolean {
  const relative = path.relative(above, folder);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`);
}
