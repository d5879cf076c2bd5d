import { distance } from "fastest-levenshtein";
import { child, listSettings, pathText, type SettingNode, type SettingPath } from "./settings.ts";

/** `; did you mean X?` where one of `candidates` is close to `wanted`, else nothing. */
export function nearestText(wanted: string, candidates: readonly string[]): string {
  const found = nearest(wanted, candidates);
  return found === null ? "" : `; did you mean ${found}?`;
}

/** What to say of a key that does not exist in the section at `at`: the nearest valid one, else all of them. */
export function nearestKeyText(at: SettingPath, key: string, schema: SettingNode): string {
  const section = at.reduce<SettingNode | null>((node, step) => node && child(node, step), schema);
  const keys = Object.keys(section?.properties ?? {});
  const here = nearest(key, keys);
  if (here !== null) return `; did you mean ${pathText([...at, here])}?`;
  const elsewhere = listSettings(schema).filter((setting) => lastKey(setting.path) === key);
  if (elsewhere.length > 0) return `; did you mean ${elsewhere.map((setting) => setting.path).join(" or ")}?`;
  const place = at.length === 0 ? "at the top" : `in ${pathText(at)}`;
  return keys.length === 0 ? "" : `; the keys ${place} are ${keys.join(", ")}`;
}

function lastKey(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}

/** A third of the letters may differ: enough for slips and swapped ends, not enough for another word. */
function nearest(wanted: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of candidates) {
    const apart = distance(wanted.toLowerCase(), candidate.toLowerCase());
    if (apart < bestDistance && apart < candidate.length) {
      best = candidate;
      bestDistance = apart;
    }
  }
  return best;
}
