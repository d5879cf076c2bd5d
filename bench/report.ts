import Table from "cli-table3";
import type { Machine } from "./machine.ts";
import { type Measurement, meetsBar, type RowResult } from "./measurement.ts";

/** The table for people: each figure with its bar beside it. */
export function reportText(
  machine: Machine,
  fileCount: number,
  results: readonly RowResult[],
  hasColor: boolean,
): string {
  const { cpu, cores, memoryGigabytes, node, system, fileSystem, load } = machine;
  const table = new Table({
    head: ["What", "Measured", "Bar", "", "Note"],
    colAligns: ["left", "right", "right", "left", "left"],
    style: {
      head: hasColor ? ["bold"] : [],
      border: [],
      compact: true,
      "padding-left": 0,
      "padding-right": 2,
    },
    chars: { ...noBorders, middle: "" },
  });
  for (const result of results) {
    if ("skipped" in result) table.push([result.what, "-", "", "", result.skipped]);
    else table.push([result.what, figureText(result), barText(result), verdict(result), result.note ?? ""]);
  }
  return [
    "",
    `${fileCount.toLocaleString("en")} files on ${cpu}, ${cores} cores, ${memoryGigabytes} GB, ${fileSystem}`,
    `Node ${node}, ${system}, load ${load} at the start`,
    "",
    ...table
      .toString()
      .split("\n")
      .map((line) => line.trimEnd()),
  ].join("\n");
}

const noBorders = Object.fromEntries(
  ["top", "bottom", "mid", "left", "right"].flatMap((side) =>
    ["", "-mid", "-left", "-right"].map((part) => [`${side}${part}`, ""]),
  ),
);

function figureText({ value, unit }: Measurement): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 4;
  const text = Number.isInteger(value)
    ? String(value)
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${text} ${unit}`;
}

function barText({ bar, unit }: Measurement): string {
  if (bar === undefined) return "";
  return "min" in bar
    ? `≥ ${bar.min.toLocaleString("en")} ${unit}`
    : `≤ ${bar.max.toLocaleString("en")} ${unit}`;
}

/** Met, or the distance said plainly. */
function verdict(measurement: Measurement): string {
  const { value, bar } = measurement;
  const isMet = meetsBar(measurement);
  if (bar === undefined || isMet === null) return "";
  if (isMet) return "met";
  const times = "min" in bar ? bar.min / value : value / bar.max;
  return `NOT MET, ${Number.isFinite(times) ? `${times.toFixed(1)} times off` : "none allowed"}`;
}
