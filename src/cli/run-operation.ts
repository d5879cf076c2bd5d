import type { CommandName } from "../bus/topics.ts";
import type { CommandLine } from "./command-line.ts";
import type { RunnerLink } from "./connection.ts";
import { showProgress } from "./scan-progress.ts";
import { aborted } from "./with-runner.ts";

interface AskedOperation {
  readonly command: CommandName;
  /** Where its progress is told. */
  readonly topic: "scan" | "organize";
  readonly payload: Readonly<Record<string, unknown>>;
  /** Whether its end is waited for. */
  readonly wait: boolean;
  readonly isJson: boolean;
}

/** Asks for an operation, shows how far it is, and prints what it did. */
export async function runOperation(
  runner: RunnerLink,
  { command, topic, payload, wait, isJson }: AskedOperation,
  line: CommandLine,
  summaryText: (ended: unknown, line: CommandLine) => string,
): Promise<number> {
  if (!wait) {
    const accepted: unknown = await runner.request(command, payload);
    line.out(isJson ? JSON.stringify(accepted) : `operation ${idsOf(accepted).join(", ")} is queued`);
    return 0;
  }
  const progress = await showProgress(topic, runner, isJson, line);
  try {
    let operation = "";
    const answer: Promise<unknown> = runner.request(command, payload, (data) => {
      operation = String(data["operation_id"]);
    });
    const ended = await Promise.race([answer, aborted(line.signal)]);
    progress.stop();
    if (ended === null) {
      line.err(`it goes on without you: \`tomekeeper cancel ${operation}\` ends it`);
      return 130;
    }
    line.out(isJson ? JSON.stringify(ended) : summaryText(ended, line));
    return 0;
  } finally {
    progress.stop();
  }
}

function idsOf(accepted: unknown): readonly string[] {
  const { operation_ids } = accepted as { readonly operation_ids: readonly string[] };
  return operation_ids;
}
