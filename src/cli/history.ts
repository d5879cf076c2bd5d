import type { CommandData } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { printable, sizeText } from "./format.ts";
import type { PlaceFlags } from "./sources.ts";
import { tableText } from "./table.ts";

export interface HistoryFlags extends PlaceFlags {
  readonly id?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

/** `tomekeeper history [ID]`: what was organized and undone; of one batch from where to where. */
export async function history(flags: HistoryFlags, line: CommandLine): Promise<number> {
  const { id, limit, offset } = flags;
  const runner = await findRunner(flags, line);
  try {
    const found = await runner.request("history", {
      ...(id === undefined ? {} : { operation_id: id }),
      ...(limit === undefined ? {} : { limit }),
      ...(offset === undefined ? {} : { offset }),
    });
    if (flags.json) line.out(JSON.stringify(found));
    else for (const text of linesOf(found, line)) line.out(text);
    return 0;
  } finally {
    await runner.close();
  }
}

function linesOf({ items, total }: CommandData<"history">, line: CommandLine): readonly string[] {
  if (items.length === 0) return ["Nothing was organized yet."];
  const columns = [
    { title: "Batch", least: 36 },
    { title: "What", least: 8 },
    { title: "State", least: 8 },
    { title: "Ended", least: 16, expendable: 2 },
    { title: "Books", least: 5, align: "right" as const },
    { title: "Files", least: 5, align: "right" as const },
    { title: "Size", least: 6, align: "right" as const, expendable: 3 },
    { title: "Undo until", least: 10, expendable: 1 },
  ];
  const rows = items.map((item) => [
    item.operation_id,
    item.kind,
    item.state,
    item.finished_at?.slice(0, 16).replace("T", " ") ?? "",
    String(item.books),
    String(item.files),
    sizeText(item.bytes),
    item.undoable_until?.slice(0, 10) ?? "",
  ]);
  const moves = items.flatMap((item) => item.moves ?? []);
  return [
    tableText(line, columns, rows),
    ...moves.flatMap(({ from, to }) => [printable(from), `  → ${printable(to)}`]),
    ...(total > items.length ? [`${total - items.length} more; see --limit and --offset`] : []),
  ];
}
