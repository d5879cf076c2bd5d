import { configSchemaText } from "../config/reference.ts";
import { printConfig, redactConfig } from "../config/show.ts";
import type { CommandLine } from "./command-line.ts";
import { configOf, type SettingFlags } from "./sources.ts";

export interface ConfigFlags extends SettingFlags {
  readonly what: "check" | "print" | "schema";
}

/** `tomekeeper config check|print|schema`. A configuration with problems is thrown as `config_invalid`. */
export async function config(flags: ConfigFlags, line: CommandLine): Promise<number> {
  if (flags.what === "schema") {
    line.out(configSchemaText().trimEnd());
    return 0;
  }
  const result = configOf(flags, line);
  const { warnings, file } = result;
  if (flags.what === "print") {
    line.out(flags.json ? JSON.stringify(redactConfig(result.config)) : printConfig(result).trimEnd());
  } else if (flags.json) {
    line.out(JSON.stringify({ ok: true, file, warnings }));
  } else {
    for (const warning of warnings) line.err(`warning: ${warning}`);
    line.out(`${file ?? "defaults, environment and flags (no file)"}: the configuration is valid`);
  }
  return 0;
}
