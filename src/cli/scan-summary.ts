import type { CommandLine } from "./command-line.ts";
import { countText, durationText } from "./format.ts";
import { tableText } from "./table.ts";

const shownProblems = 20;

/** What a scan did, from the data of its last answer. */
export function scanSummaryText(ended: unknown, line: CommandLine): string {
  const summary = recordAt(ended, "summary");
  const count = (key: string) => (typeof summary[key] === "number" ? summary[key] : 0);
  const text = [
    `Scanned ${countText(count("dirs"), "folder")} with ${countText(count("files"), "file")}`,
    ` (${count("files_read").toLocaleString("en")} read) in ${durationText(count("seconds"))}.`,
    `\n${countText(count("books"), "book")}: ${count("added")} new, ${count("changed")} changed, ${count("missing")} missing.`,
  ].join("");
  const problems = Array.isArray(summary["problems"]) ? summary["problems"] : [];
  if (count("problem_count") === 0) return text;
  const columns = [
    { title: "Path", least: 20 },
    { title: "Problem", least: 10, expendable: 1 },
    { title: "What it says", least: 20 },
  ];
  const rows = problems.slice(0, shownProblems).map((problem) => {
    const { path, code, message } = { path: "", code: "", message: "", ...problem };
    return [String(path), String(code), String(message)];
  });
  const rest = count("problem_count") - rows.length;
  return [
    text,
    `\n${countText(count("problem_count"), "problem")}:`,
    tableText(line, columns, rows),
    ...(rest > 0 ? [`… and ${countText(rest, "more", "more")}`] : []),
  ].join("\n");
}

function recordAt(value: unknown, key: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || !(key in value)) return {};
  const found: unknown = (value as Readonly<Record<string, unknown>>)[key];
  return typeof found === "object" && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
}
