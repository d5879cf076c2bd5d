import os from "node:os";
import { createInterface } from "node:readline/promises";

/** Resolves with null when the person has had enough. */
export type Ask = (question: string) => Promise<string | null>;

/** What a command may use of the process: where it writes, and what surrounds it. */
export interface CommandLine {
  /** Standard output, a line at a time. */
  readonly out: (line: string) => void;
  /** Standard error, a line at a time. */
  readonly err: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** Whether a person sees standard output. */
  readonly isTerminal: boolean;
  /** Where progress is drawn; null where nobody would see it. */
  readonly progressStream: NodeJS.WriteStream | null;
  /** Width of the terminal in characters; Infinity where there is none to fit. */
  readonly columns: number;
  readonly hasColor: boolean;
  /** Asks the person at the terminal; null where there is none. */
  readonly ask: Ask | null;
  /** Aborted when the user wants to end. */
  readonly signal: AbortSignal;
}

export function processCommandLine(signal: AbortSignal): CommandLine {
  const { stdout, stderr, env } = process;
  const isTerminal = stdout.isTTY === true;
  return {
    out: (line) => void stdout.write(`${line}\n`),
    err: (line) => void stderr.write(`${line}\n`),
    env,
    cwd: process.cwd(),
    home: os.homedir(),
    isTerminal,
    progressStream: stderr.isTTY ? stderr : null,
    columns: isTerminal ? stdout.columns : Number.POSITIVE_INFINITY,
    hasColor: isTerminal && !env["NO_COLOR"] && env["TERM"] !== "dumb",
    ask: isTerminal && process.stdin.isTTY === true ? (question) => askPerson(question, signal) : null,
    signal,
  };
}

async function askPerson(question: string, signal: AbortSignal): Promise<string | null> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  // Ctrl+C and Ctrl+D at the question.
  const closed = new Promise<null>((resolve) => reader.once("close", () => resolve(null)));
  try {
    return await Promise.race([reader.question(question, { signal }).catch(() => null), closed]);
  } finally {
    reader.close();
  }
}
