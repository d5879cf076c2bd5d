import type { CommandLine } from "./command-line.ts";
import { countText, durationText } from "./format.ts";
import { runOperation } from "./run-operation.ts";
import type { SettingFlags } from "./sources.ts";
import { withRunner } from "./with-runner.ts";

export interface FetchFlags extends SettingFlags {
  readonly books?: readonly string[] | undefined;
  readonly query?: string | undefined;
  readonly source?: readonly string[] | undefined;
  readonly wait: boolean;
}

/** `tomekeeper fetch`: asks metadata sources about books. */
export async function fetch(flags: FetchFlags, line: CommandLine): Promise<number> {
  const { books, query, source } = flags;
  const payload = {
    ...(books === undefined ? {} : { books }),
    ...(query === undefined ? {} : { query }),
    ...(source === undefined ? {} : { sources: source }),
    // Who types it waits for it.
    priority: "normal",
  };
  return await withRunner(flags, line, "this fetch", (runner, isOwn) =>
    runOperation(
      runner,
      { command: "fetch", topic: "scan", payload, wait: flags.wait || isOwn, isJson: flags.json },
      line,
      fetchSummaryText,
    ),
  );
}

interface FetchSummary {
  readonly books: number;
  readonly matched: number;
  readonly needs_review: number;
  readonly not_found: number;
  readonly unanswered: number;
  readonly changed: number;
  readonly unavailable: readonly string[];
  readonly seconds: number;
}

/** What a fetch found out, from the data of its last answer. */
export function fetchSummaryText(ended: unknown): string {
  const { summary } = ended as { readonly summary: FetchSummary };
  const { unavailable, unanswered, needs_review: unsure } = summary;
  return [
    `Asked about ${countText(summary.books, "book")} in ${durationText(summary.seconds)}: ${summary.matched} found, ${summary.not_found} not, ${summary.changed} changed.`,
    ...(unsure > 0
      ? [`${countText(unsure, "book needs", "books need")} your decision: tomekeeper review`]
      : []),
    ...(unavailable.length > 0
      ? [
          `No answer from ${unavailable.join(", ")}${unanswered > 0 ? `, so nothing is known of ${countText(unanswered, "book")}` : ""}: tomekeeper sources`,
        ]
      : []),
  ].join("\n");
}
