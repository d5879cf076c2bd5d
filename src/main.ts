#!/usr/bin/env node
import { constants } from "node:os";
import { main } from "./cli/cli.ts";
import { processCommandLine } from "./cli/command-line.ts";

/** The promise is ten seconds; what does not stop in time loses nothing, since it goes on at the next start. */
const stopLimitMs = 9500;

const stopping = new AbortController();

function stopOrEnd(signal: "SIGINT" | "SIGTERM"): void {
  if (stopping.signal.aborted) process.exit(128 + constants.signals[signal]);
  stopping.abort();
  setTimeout(() => {
    process.stderr.write(
      "tomekeeper: stopping takes too long; what is unfinished goes on at the next start\n",
    );
    process.exit(0);
  }, stopLimitMs).unref();
}

process.on("SIGINT", stopOrEnd);
process.on("SIGTERM", stopOrEnd);
// `tomekeeper query | head`: who reads has had enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const exitCode = await main(process.argv.slice(2), processCommandLine(stopping.signal));
// Output to a pipe is still on its way; a file descriptor left open must not keep the process.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
