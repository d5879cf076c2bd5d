import { isDeepStrictEqual } from "node:util";
import type { Config } from "./schema.ts";
import { child, configJsonSchema, isObject, type SettingNode } from "./settings.ts";

export interface ChangedSettings {
  /** Settings that take effect at once. */
  readonly applied: readonly string[];
  /** Settings that take effect at the next start. */
  readonly needsRestart: readonly string[];
}

/** Which settings differ, by path; a list counts as one setting. */
export function changedSettings(before: Config, after: Config): ChangedSettings {
  const changed = differences(before, after, configJsonSchema(), "");
  return {
    applied: changed.filter((setting) => setting.isLive).map((setting) => setting.path),
    needsRestart: changed.filter((setting) => !setting.isLive).map((setting) => setting.path),
  };
}

interface Difference {
  readonly path: string;
  readonly isLive: boolean;
}

function differences(
  before: unknown,
  after: unknown,
  node: SettingNode | null,
  path: string,
): readonly Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (!isObject(before) || !isObject(after)) return [{ path, isLive: node?.["x-live"] === true }];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], node && child(node, key), path === "" ? key : `${path}.${key}`),
  );
}
