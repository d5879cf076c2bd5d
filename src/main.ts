#!/usr/bin/env node
import { constants } from "node:os";
import "./process-shape.ts";

// Loaded by name at run time: static imports would all be compiled before the cache is there.
const { main } = await import("./cli/cli.ts");
const { processCommandLine } = await import("./cli/command-line.ts");

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
