import CliTable from "cli-table3";
import type { CommandLine } from "./command-line.ts";
import { printable, styled } from "./format.ts";

export interface Column {
  readonly title: string;
  /** Never narrower than this, unless all its cells are. */
  readonly least: number;
  readonly align?: "right";
  /** Columns that are left out while the rest does not fit: the highest first, 0 never. */
  readonly expendable?: number;
  readonly style?: (cell: string) => Parameters<typeof styled>[1];
}

const gap = 2;

/** A table that fits the terminal: what is least needed is left out, then long cells are cut with `…`. */
export function tableText(
  line: Pick<CommandLine, "columns" | "hasColor">,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): string {
  const sized = columns.map((column, i) => {
    const cells = rows.map((row) => printable(row[i] ?? ""));
    const full = Math.max(width(column.title), ...cells.map(width));
    return { column, cells, full, least: Math.min(full, Math.max(column.least, width(column.title))) };
  });
  const kept = fitting(sized, line.columns);
  const widths = shrunk(kept, line.columns);
  const table = new CliTable({
    chars: noBorders,
    style: { "padding-left": 0, "padding-right": gap, head: [], border: [], compact: true },
    colWidths: widths.map((columnWidth) => columnWidth + gap),
    colAligns: kept.map(({ column }) => column.align ?? "left"),
  });
  table.push(kept.map(({ column }) => styled(line, "bold", column.title)));
  rows.forEach((_, i) => {
    table.push(
      kept.map(({ column, cells }, position) => {
        // Cut here: the table's own cutting counts a wide letter and an accent as two narrow ones.
        const cell = cut(cells[i] ?? "", widths[position] ?? 0);
        return column.style === undefined ? cell : styled(line, column.style(cell), cell);
      }),
    );
  });
  const lines = table.toString().split("\n");
  return lines.map((text) => text.trimEnd()).join("\n");
}

/** `key  value` lines, for one thing and its facts. */
export function factsText(
  line: Pick<CommandLine, "hasColor">,
  facts: readonly (readonly [name: string, value: string])[],
): string {
  const widest = Math.max(...facts.map(([name]) => name.length));
  return facts
    .map(([name, value]) => `${styled(line, "bold", name.padEnd(widest + gap))}${printable(value)}`)
    .join("\n");
}

interface Sized {
  readonly column: Column;
  readonly cells: readonly string[];
  readonly full: number;
  readonly least: number;
}

function fitting(sized: readonly Sized[], room: number): readonly Sized[] {
  let kept = sized;
  while (total(kept.map(({ least }) => least)) > room) {
    const next = Math.max(...kept.map(({ column }) => column.expendable ?? 0));
    if (next === 0) break;
    kept = kept.filter(({ column }) => (column.expendable ?? 0) < next);
  }
  return kept;
}

/** Takes from the widest column, character by character, until all fit. */
function shrunk(kept: readonly Sized[], room: number): readonly number[] {
  const widths = kept.map(({ full }) => full);
  while (total(widths) > room) {
    const spare = widths.map((columnWidth, i) => (columnWidth > (kept[i]?.least ?? 0) ? columnWidth : 0));
    const widest = Math.max(...spare);
    if (widest === 0) break;
    widths[spare.indexOf(widest)] = widest - 1;
  }
  return widths;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, columnWidth) => sum + columnWidth + gap, -gap);
}

const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const narrowest = /^[\p{M}\p{Cf}]$/u;

/** Places that a text takes in a terminal. */
function width(text: string): number {
  let places = 0;
  for (const letter of text) places += letterWidth(letter);
  return places;
}

function letterWidth(letter: string): number {
  return narrowest.test(letter) ? 0 : wide.test(letter) ? 2 : 1;
}

function cut(text: string, room: number): string {
  if (width(text) <= room) return text;
  let kept = "";
  let places = 1;
  for (const letter of text) {
    places += letterWidth(letter);
    if (places > room) break;
    kept += letter;
  }
  return `${kept}…`;
}

const noBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};
