import { AppError } from "../errors.ts";
import { bookText } from "./book.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import type { PlaceFlags } from "./sources.ts";

export interface SetFlags extends PlaceFlags {
  readonly book: string;
  /** `field=value` */
  readonly fields: readonly string[];
}

/** `tomekeeper set BOOK field=value…`: a user's correction, which no source overwrites. */
export async function set(flags: SetFlags, line: CommandLine): Promise<number> {
  const fields = Object.fromEntries(flags.fields.map(parseField));
  const runner = await findRunner(flags, line);
  try {
    const changed = await runner.request("set", { book: flags.book, fields });
    line.out(flags.json ? JSON.stringify(changed) : bookText(changed, line));
    return 0;
  } finally {
    await runner.close();
  }
}

const lists: ReadonlySet<string> = new Set(["authors", "narrators", "genres"]);

/** `authors=A; B` is a list, `series=Name #1.5; Other #2` too; an empty value says that there is none. */
function parseField(text: string): readonly [field: string, value: unknown] {
  const at = text.indexOf("=");
  if (at < 1) throw new AppError("invalid_payload", `"${text}" is not of the form field=value`);
  const field = text.slice(0, at);
  const value = text.slice(at + 1).trim();
  const items = value
    .split(";")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  if (lists.has(field)) return [field, items];
  if (field === "series") return [field, items.map(parseSeries)];
  if (value === "") return [field, null];
  if (field === "year") return [field, /^\d{1,4}$/.test(value) ? Number(value) : value];
  if (field === "explicit" || field === "abridged") {
    return [field, value === "true" ? true : value === "false" ? false : value];
  }
  return [field, value];
}

function parseSeries(text: string): { readonly name: string; readonly position: string | null } {
  const match = /^(.*\S)\s+#(\S+)$/.exec(text);
  return { name: match?.[1] ?? text, position: match?.[2] ?? null };
}
