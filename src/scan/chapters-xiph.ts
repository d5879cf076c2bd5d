import { maxChapters, type RawChapter } from "./chapters-list.ts";
import type { TagFields } from "./tags-fields.ts";

/** `CHAPTER001=00:12:34.567` and `CHAPTER001NAME=…` of Vorbis comments, by their number. */
export function readXiphChapters(fields: TagFields): readonly RawChapter[] {
  const found: { readonly number: number; readonly chapter: RawChapter }[] = [];
  for (const name of fields.freeNames()) {
    const number = /^CHAPTER(\d{1,5})$/.exec(name)?.[1];
    if (number === undefined || found.length >= maxChapters) continue;
    const startMs = parseTime(fields.values(name)[0] ?? "");
    if (startMs === null) continue;
    const title = fields.values(`CHAPTER${number}NAME`)[0] ?? "";
    found.push({ number: Number(number), chapter: { title, startMs, endMs: null } });
  }
  return found.sort((a, b) => a.number - b.number).map(({ chapter }) => chapter);
}

function parseTime(text: string): number | null {
  const match = /^(\d{1,5}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9}))?$/.exec(text);
  if (match === null) return null;
  const [, hours, minutes, seconds, fraction = ""] = match;
  return (
    (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000 +
    Math.round(Number(`0.${fraction}0`) * 1000)
  );
}
