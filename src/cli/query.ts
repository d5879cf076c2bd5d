import type { CommandData } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { countText, durationText, statusStyle } from "./format.ts";
import type { PlaceFlags } from "./sources.ts";
import { type Column, tableText } from "./table.ts";

export interface QueryFlags extends PlaceFlags {
  readonly words?: readonly string[] | undefined;
  readonly text?: string | undefined;
  readonly author?: string | undefined;
  readonly series?: string | undefined;
  readonly narrator?: string | undefined;
  readonly state?: string | undefined;
  readonly sort?: string | undefined;
  readonly gaps?: boolean | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

type Found = CommandData<"query">;
type FoundBook = Found["items"][number];

/** `tomekeeper query`: books of the catalogue, as a table. */
export async function query(flags: QueryFlags, line: CommandLine): Promise<number> {
  const { words, text, author, series, narrator, state, sort, gaps, limit, offset } = flags;
  const wanted = [text, ...(words ?? [])].filter(Boolean).join(" ");
  const runner = await findRunner(flags, line);
  try {
    const found = await runner.request("query", {
      ...(wanted === "" ? {} : { text: wanted }),
      ...given({ author, series, narrator, state, sort, gaps, limit, offset }),
    });
    if (flags.json) line.out(JSON.stringify(found));
    else if (found.gaps !== undefined) showGaps(found.gaps, line);
    else show(found, offset ?? 0, line);
    return 0;
  } finally {
    await runner.close();
  }
}

function given(keys: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(keys).filter(([, value]) => value !== undefined));
}

const columns: readonly Column[] = [
  { title: "Title", least: 16 },
  { title: "Author", least: 12 },
  { title: "Series", least: 12, expendable: 2 },
  { title: "Narrator", least: 12, expendable: 4 },
  { title: "Length", least: 6, align: "right", expendable: 3 },
  { title: "State", least: 7, expendable: 1, style: statusStyle },
  { title: "Id", least: 36, expendable: 5 },
];

function show(found: Found, offset: number, line: CommandLine): void {
  if (found.items.length === 0) {
    line.out(
      found.total === 0
        ? "No book matches."
        : `${countText(found.total, "book")}, none of them from ${offset} on.`,
    );
    return;
  }
  line.out(tableText(line, columns, found.items.map(row)));
  const last = offset + found.items.length;
  const shown = found.total === found.items.length ? "" : `, ${offset + 1} to ${last} shown`;
  const more = last < found.total ? ` (--offset ${last} for the next)` : "";
  line.out(`\n${countText(found.total, "book")}${shown}${more}`);
}

function showGaps(gaps: NonNullable<Found["gaps"]>, line: CommandLine): void {
  if (gaps.length === 0) {
    line.out("No series lacks a number.");
    return;
  }
  const gapColumns = [
    { title: "Series", least: 16 },
    { title: "Author", least: 12, expendable: 2 },
    { title: "Missing", least: 10 },
    { title: "There", least: 10, expendable: 1 },
  ];
  const rows = gaps.map((gap) => [
    gap.series,
    gap.author ?? "",
    gap.missing.join(", "),
    gap.present.join(", "),
  ]);
  line.out(tableText(line, gapColumns, rows));
}

function row(book: FoundBook): readonly string[] {
  return [
    book.title,
    book.authors.join(", "),
    book.series.map(({ name, position }) => (position === null ? name : `${name} #${position}`)).join(", "),
    book.narrators.join(", "),
    durationText(book.duration_seconds),
    book.state,
    book.id,
  ];
}
