import { pathToFileURL } from "node:url";
import type { Config } from "../config/schema.ts";
import { AppError, toErrorRecord } from "../errors.ts";
import type { Plugin } from "../plugin.ts";

/**
 * The plugins that the configuration names by their files (`plugins.<name>.module`); each exports itself as `default`
 * and has the name that it is configured by. Throws `config_invalid` for a file that holds none.
 */
export async function loadPlugins(config: Config): Promise<readonly Plugin[]> {
  const plugins: Plugin[] = [];
  for (const [name, { module, enabled }] of Object.entries(config.plugins)) {
    if (module === undefined || enabled === false) continue;
    plugins.push(await load(name, module));
  }
  return plugins;
}

async function load(name: string, file: string): Promise<Plugin> {
  const refuse = (why: string, cause?: unknown): AppError =>
    new AppError("config_invalid", `plugins.${name}.module: ${file} ${why}`, { cause });
  let loaded: { readonly default?: unknown };
  try {
    loaded = await import(pathToFileURL(file).href);
  } catch (error) {
    throw refuse(`cannot be loaded: ${toErrorRecord(error).message}`, error);
  }
  const plugin = loaded.default;
  if (!isPlugin(plugin)) throw refuse("exports no plugin as its default (see docs/plugins.md)");
  if (plugin.name !== name) throw refuse(`holds the plugin "${plugin.name}": configure it by that name`);
  return plugin;
}

function isPlugin(value: unknown): value is Plugin {
  if (typeof value !== "object" || value === null) return false;
  const { kind, name, create, start } = value as Readonly<Record<string, unknown>>;
  if (typeof name !== "string") return false;
  return kind === "hub" ? typeof start === "function" : typeof create === "function" && isCreated(kind);
}

function isCreated(kind: unknown): boolean {
  return kind === "source" || kind === "parser";
}
