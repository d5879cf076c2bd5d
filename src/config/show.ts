import { Document, isMap, isScalar } from "yaml";
import type { ConfigResult } from "./load.ts";
import type { Config } from "./schema.ts";
import { configJsonSchema, mapLeaves } from "./settings.ts";

/** The configuration as plain data that may be shown: every secret that is set reads `***`. */
export function redactConfig(config: Config): unknown {
  return mapLeaves(config, configJsonSchema(), (leaf, node) => {
    if (node["x-secret"] && leaf !== null) return "***";
    return typeof leaf === "string" ? withoutLogin(leaf) : leaf;
  });
}

/** Takes `user:password@` out of addresses. */
export function withoutLogin(text: string): string {
  return text.replace(/(:\/\/)[^/@\s"]+@/g, "$1***@");
}

/** The settings in force as YAML, secrets redacted, with a comment where each that is not a default was said. */
export function printConfig(result: ConfigResult): string {
  const document = new Document(redactConfig(result.config));
  comment(document.contents, "", result.origins);
  return document.toString({ lineWidth: 0 });
}

function comment(node: unknown, path: string, origins: ConfigResult["origins"]): void {
  if (!isMap(node)) return;
  for (const pair of node.items) {
    if (!isScalar(pair.key)) continue;
    const key = String(pair.key.value);
    const at = path === "" ? key : `${path}.${key}`;
    const origin = origins[at];
    if (origin === undefined) comment(pair.value, at, origins);
    else if (isScalar(pair.value)) pair.value.comment = ` ${origin}`;
    else pair.key.commentBefore = ` ${origin}`;
  }
}
