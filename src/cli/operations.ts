import type { CommandData } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { countText, statusStyle } from "./format.ts";
import type { PlaceFlags } from "./sources.ts";
import { type Column, tableText } from "./table.ts";

export interface OperationsFlags extends PlaceFlags {
  readonly state?: string | undefined;
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

type Operation = CommandData<"operations">["items"][number];

const columns: readonly Column[] = [
  { title: "Id", least: 36 },
  { title: "Kind", least: 4 },
  { title: "State", least: 9, style: statusStyle },
  { title: "%", least: 3, align: "right" },
  { title: "Scope", least: 10, expendable: 1 },
  { title: "Created", least: 19, expendable: 2 },
  { title: "Error", least: 10, expendable: 3 },
];

/** `tomekeeper operations`: what ran, runs and waits, newest first. */
export async function operations(flags: OperationsFlags, line: CommandLine): Promise<number> {
  const { state, limit, offset } = flags;
  const runner = await findRunner(flags, line);
  try {
    const found = await runner.request("operations", {
      ...(state === undefined ? {} : { state }),
      ...(limit === undefined ? {} : { limit }),
      ...(offset === undefined ? {} : { offset }),
    });
    if (flags.json) line.out(JSON.stringify(found));
    else if (found.items.length === 0) line.out("No operations.");
    else {
      line.out(tableText(line, columns, found.items.map(row)));
      line.out(`\n${countText(found.total, "operation")}`);
    }
    return 0;
  } finally {
    await runner.close();
  }
}

function row(operation: Operation): readonly string[] {
  return [
    operation.operation_id,
    operation.kind,
    operation.state,
    operation.percent === null ? "" : String(Math.floor(operation.percent)),
    operation.scope,
    operation.created_at.slice(0, 19).replace("T", " "),
    operation.error?.message ?? "",
  ];
}
