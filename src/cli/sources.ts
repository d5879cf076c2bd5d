import { type ConfigResult, loadConfig } from "../config/load.ts";
import type { CommandLine } from "./command-line.ts";

/** The flags that say where settings and the runner are; every command has them. */
export interface PlaceFlags {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  readonly broker?: string | undefined;
  readonly node?: string | undefined;
  readonly json: boolean;
}

/** The flags that are settings too. */
export interface SettingFlags extends PlaceFlags {
  readonly library?: readonly string[] | undefined;
  readonly inbox?: readonly string[] | undefined;
  readonly mqttPort?: number | undefined;
  readonly logLevel?: string | undefined;
}

type FlagSetting = Parameters<typeof loadConfig>[0]["flags"][number];

/** Reads the configuration with the flags on top. `extra` stands above even those. */
export function configOf(
  flags: SettingFlags,
  line: Pick<CommandLine, "env" | "cwd" | "home">,
  extra: readonly FlagSetting[] = [],
): ConfigResult {
  const { env, cwd, home } = line;
  return loadConfig({ file: flags.config ?? null, flags: [...settingsOf(flags), ...extra], env, cwd, home });
}

function settingsOf(flags: SettingFlags): readonly FlagSetting[] {
  const roots = [
    ...(flags.library ?? []).map((path) => ({ path, kind: "library" })),
    ...(flags.inbox ?? []).map((path) => ({ path, kind: "inbox" })),
  ];
  const rootFlags = [flags.library && "--library", flags.inbox && "--inbox"].filter(Boolean).join(" and ");
  const given: readonly FlagSetting[] = [
    { path: ["data_dir"], flag: "--data", value: flags.data },
    { path: ["node"], flag: "--node", value: flags.node },
    { path: ["log_level"], flag: "--log-level", value: flags.logLevel },
    { path: ["mqtt", "url"], flag: "--broker", value: flags.broker },
    { path: ["mqtt", "embedded", "port"], flag: "--mqtt-port", value: flags.mqttPort },
    // An empty list would take the file's roots away.
    { path: ["roots"], flag: rootFlags, value: roots.length === 0 ? undefined : roots },
  ];
  return given.filter((flag) => flag.value !== undefined);
}
