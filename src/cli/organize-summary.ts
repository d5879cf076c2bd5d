import { countText, durationText, printable, sizeText } from "./format.ts";

const shownConflicts = 20;

interface Conflict {
  readonly path: string;
  readonly code: string;
  readonly message?: string;
}

/** What an organize did, and how to take it back. */
export function organizeSummaryText(ended: unknown): string {
  const { summary, id } = endedOf(ended);
  const [books, files] = [number(summary, "books"), number(summary, "files")];
  const lines = [
    books === 0
      ? "Nothing was due."
      : `Organized ${countText(books, "book")} (${countText(files, "file")}, ${sizeText(number(summary, "bytes"))}${methodsText(summary)}) in ${durationText(number(summary, "seconds"))}.`,
    ...restOf(summary),
    ...(books === 0 ? [] : [`\`tomekeeper undo ${id}\` takes it back.`]),
  ];
  return lines.join("\n");
}

export function undoSummaryText(ended: unknown): string {
  const { summary } = endedOf(ended);
  const books = countText(number(summary, "books"), "book");
  return [`Took back ${books} (${countText(number(summary, "files"), "file")}).`, ...restOf(summary)].join(
    "\n",
  );
}

export function verifySummaryText(ended: unknown): string {
  const { summary } = endedOf(ended);
  const count = (key: string) => number(summary, key);
  const head = `Read ${countText(count("files"), "file")} again (${sizeText(count("bytes"))}): ${count("ok")} right, ${count("changed")} changed, ${count("missing")} missing, ${count("rotten")} rotten.`;
  return [head, ...conflictLines(list(summary, "problems"), count("problem_count"))].join("\n");
}

/** Conflicts with what to do about each. */
export function conflictLines(conflicts: readonly Conflict[], total: number): readonly string[] {
  const shown = conflicts.slice(0, shownConflicts).map(({ path, code, message }) => {
    return printable(`  ${code} ${path}${message === undefined ? "" : `: ${message}`}`);
  });
  const rest = total - shown.length;
  return [...shown, ...(rest > 0 ? [`  … and ${countText(rest, "more", "more")}`] : [])];
}

function restOf(summary: Summary): readonly string[] {
  const conflicts = number(summary, "conflict_count");
  const leftovers = number(summary, "leftover_count");
  return [
    ...(conflicts > 0 ? [`${countText(conflicts, "conflict")}, left as they are:`] : []),
    ...conflictLines(list(summary, "conflicts"), conflicts),
    ...(leftovers > 0 ? [`${countText(leftovers, "file")} could not be removed:`] : []),
    ...list(summary, "leftovers")
      .slice(0, shownConflicts)
      .map(({ path, message }) => printable(`  ${path}: ${message}`)),
  ];
}

type Summary = Readonly<Record<string, unknown>>;

function endedOf(ended: unknown): { readonly summary: Summary; readonly id: string } {
  const { summary, operation_id } = ended as {
    readonly summary: Summary | null;
    readonly operation_id: string;
  };
  return { summary: summary ?? {}, id: operation_id };
}

function number(summary: Summary, key: string): number {
  const value = summary[key];
  return typeof value === "number" ? value : 0;
}

function list(summary: Summary, key: string): readonly Conflict[] {
  const value = summary[key];
  return Array.isArray(value) ? value : [];
}

function methodsText(summary: Summary): string {
  const { strategy } = summary;
  const methods = typeof strategy === "object" && strategy !== null ? Object.entries(strategy) : [];
  return methods.length === 0
    ? ""
    : `, ${methods.map(([method, files]) => `${files} by ${method}`).join(", ")}`;
}
