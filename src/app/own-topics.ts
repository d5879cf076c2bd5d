import { plugins as builtIn } from "../../plugins/index.ts";
import type { Config } from "../config/schema.ts";
import { hubSettings } from "./hubs.ts";
import { loadPlugins } from "./load-plugins.ts";

/** Topic filters that match all that the runner of this node has ever retained, and nothing of anybody else. */
export async function ownTopics(config: Config, nodeId: string | null): Promise<readonly string[]> {
  const plugins = [...builtIn, ...(await loadPlugins(config))];
  const ofHubs = plugins.flatMap((plugin) => {
    if (plugin.kind !== "hub" || nodeId === null) return [];
    const settings = hubSettings(plugin, config);
    return settings === null ? [] : plugin.owns(settings, nodeId);
  });
  return [`tomekeeper/${config.node}/#`, ...ofHubs];
}
