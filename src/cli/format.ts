import { styleText } from "node:util";
import type { CommandLine } from "./command-line.ts";

/**
 * Text from tags and file names as it may be shown: without control characters, so that no title can move the
 * cursor, recolour the terminal or forge a line, and without the marks that turn the reading direction.
 */
export function printable(text: string): string {
  return text
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?)/g, "")
    .replace(/[\t\n\r\u2028\u2029]+/g, " ")
    .replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
}

/** `12 h 5 min`, `45 min`, `9 s` */
export function durationText(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 || hours >= 100 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

const units = ["B", "KB", "MB", "GB", "TB", "PB"] as const;

/** `1.5 GB`, in powers of 1000 as disks are sold. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `1 book`, `1,234 books` */
export function countText(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

type Style = Parameters<typeof styleText>[0];

export function styled(line: Pick<CommandLine, "hasColor">, style: Style, text: string): string {
  return line.hasColor ? styleText(style, text, { validateStream: false }) : text;
}

/** The colour of a severity or a state, the same everywhere. */
export function statusStyle(status: string): Style {
  if (["ok", "completed", "present", "online", "normal"].includes(status)) return "green";
  if (["fatal", "failed", "missing", "offline", "critical"].includes(status)) return "red";
  return ["warn", "needs_review", "interrupted", "cancelled", "elevated"].includes(status)
    ? "yellow"
    : "cyan";
}
