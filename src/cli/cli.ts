import yargs, { type Argv } from "yargs";
import { operationKinds, operationStates, priorities } from "../domain/operation.ts";
import { strategies } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import { version } from "../version.ts";
import type { CommandLine } from "./command-line.ts";

/** What the process ends with; documented in the help. */
const exitCodes = { failed: 1, usage: 2, fatal: 3, noRunner: 4 } as const;

const epilogue = `Exit codes: 0 done, ${exitCodes.failed} the operation failed, ${exitCodes.usage} configuration or usage, ${exitCodes.fatal} a fatal diagnostic, ${exitCodes.noRunner} no runner reached.

Settings come from the defaults, tomekeeper.yaml, the environment (TOMEKEEPER_…) and flags, the later over the earlier: see docs/reference/configuration.md, or \`tomekeeper config schema\`.`;

/** Runs one command and resolves with the exit code; what went wrong stands on standard error by then. */
export async function main(argv: readonly string[], line: CommandLine): Promise<number> {
  let exitCode = 0;
  const run: Run = async (command) => {
    try {
      exitCode = await command();
    } catch (error) {
      exitCode = report(error, argv.includes("--json"), line);
    }
  };
  try {
    await commandTable(argv, run, line).parseAsync([...argv], {}, (_, __, output) => {
      if (output !== "") line.out(output);
    });
    return exitCode;
  } catch (error) {
    // What the parser throws says what is wrong with the command as it was typed.
    const message = error instanceof Error ? error.message : String(error);
    if (argv.includes("--json")) line.out(JSON.stringify({ error: { code: "usage", message } }));
    line.err(`tomekeeper: ${message}\nSee \`tomekeeper --help\`.`);
    return exitCodes.usage;
  }
}

type Run = (command: () => Promise<number>) => Promise<void>;

/** Every command there is. What a command does is loaded when it is asked for: help and completion stay quick. */
function commandTable(argv: readonly string[], run: Run, line: CommandLine): Argv {
  return yargs([...argv])
    .scriptName("tomekeeper")
    .usage("$0 COMMAND\n\nKeeps an audiobook library in order and lives on the MQTT bus of a home.")
    .locale("en")
    .version(version)
    .help()
    .alias("help", "h")
    .parserConfiguration({ "greedy-arrays": true })
    .wrap(Math.min(100, Number.isFinite(line.columns) ? line.columns : 100))
    .options({
      config: text("Configuration file"),
      data: text("Data folder"),
      broker: text("Address of the broker (mqtt://host:1883)"),
      node: text("The runner's name on the bus"),
      json: { type: "boolean", default: false, describe: "One JSON document on standard output" },
    })
    .command(
      "run",
      "Run until interrupted",
      (command) => withSettings(command),
      (flags) => run(async () => (await import("./run.ts")).run(flags, line)),
    )
    .command(
      "scan [path]",
      "Scan for new, changed and vanished books, all roots or one folder",
      (command) =>
        withSettings(command)
          .positional("path", { type: "string", describe: "Folder, from the root or absolute" })
          .options({
            root: text("Id of the root"),
            force: { type: "boolean", default: false, describe: "Read unchanged files again too" },
            priority: { choices: priorities, describe: "Before or after other work" },
            wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
          }),
      (flags) => run(async () => (await import("./scan.ts")).scan(flags, line)),
    )
    .command(
      "query [words..]",
      "Find books",
      (command) =>
        command
          .positional("words", { type: "string", array: true, describe: "Words of the title, author, …" })
          .options({
            text: text("The same as WORDS"),
            author: text("Part of an author's name"),
            series: text("Part of a series' name"),
            narrator: text("Part of a narrator's name"),
            state: { choices: ["present", "missing", "needs_review", "offline"] as const },
            sort: { choices: ["title", "author", "series", "added", "duration"] as const },
            gaps: { type: "boolean", describe: "Show the series with missing numbers instead" },
            ...paging,
          }),
      (flags) => run(async () => (await import("./query.ts")).query(flags, line)),
    )
    .command(
      "book <id>",
      "Show one book whole",
      (command) => command.positional("id", { type: "string", demandOption: true }),
      (flags) => run(async () => (await import("./book.ts")).book(flags, line)),
    )
    .command(
      "set <book> <fields..>",
      "Correct a book: field=value …",
      (command) =>
        command
          .positional("book", { type: "string", demandOption: true, describe: "Id of the book" })
          .positional("fields", {
            type: "string",
            array: true,
            demandOption: true,
            describe: "title=X, authors='A; B', series='Name #1.5', …; empty for none",
          }),
      (flags) => run(async () => (await import("./set.ts")).set(flags, line)),
    )
    .command(
      "fetch",
      "Ask metadata sources about books; all, or some",
      (command) =>
        withSettings(command).options({
          books: { type: "string", array: true, describe: "Ids of books", requiresArg: true },
          query: text("The books that this text finds"),
          source: { type: "string", array: true, describe: "Ask only these sources", requiresArg: true },
          wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
        }),
      (flags) => run(async () => (await import("./fetch.ts")).fetch(flags, line)),
    )
    .command(
      "review",
      "Decide about the books that need it, one by one",
      (command) => command,
      (flags) => run(async () => (await import("./review.ts")).review(flags, line)),
    )
    .command(
      "sources [name]",
      "Show which metadata sources answer",
      (command) =>
        command.positional("name", { type: "string", describe: "Only this one" }).options({
          reset: { type: "boolean", default: false, describe: "Ask it again at once" },
          isolate: { type: "boolean", default: false, describe: "Switch it off until --reset" },
        }),
      (flags) => run(async () => (await import("./source-list.ts")).sourceList(flags, line)),
    )
    .command(
      "organize",
      "Put books where the pattern says; all that are due, or some",
      (command) =>
        withSettings(command).options({
          books: { type: "string", array: true, describe: "Ids of books", requiresArg: true },
          query: text("The books that this text finds"),
          strategy: { choices: strategies, describe: "Instead of the configured one" },
          "dry-run": { type: "boolean", default: false, describe: "Only say what would be done" },
          preview: { type: "boolean", default: false, describe: "The same, as a tree" },
          wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
        }),
      (flags) => run(async () => (await import("./organize.ts")).organize(flags, line)),
    )
    .command(
      "undo [id]",
      "Take back what an organize did, the last one without an id",
      (command) =>
        withSettings(command)
          .positional("id", { type: "string", describe: "Id of the organize" })
          .options({
            partial: { type: "boolean", default: false, describe: "Where files refuse, undo the rest" },
            wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
          }),
      (flags) => run(async () => (await import("./undo.ts")).undo(flags, line)),
    )
    .command(
      "verify [path]",
      "Read organized files again and compare them with what was recorded",
      (command) =>
        withSettings(command)
          .positional("path", { type: "string", describe: "Folder, from the root or absolute" })
          .options({
            root: text("Id of the root"),
            books: { type: "string", array: true, describe: "Ids of books", requiresArg: true },
            wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
          }),
      (flags) => run(async () => (await import("./verify.ts")).verify(flags, line)),
    )
    .command(
      "history [id]",
      "What was organized and undone; of one batch from where to where",
      (command) => command.positional("id", { type: "string", describe: "Id of the batch" }).options(paging),
      (flags) => run(async () => (await import("./history.ts")).history(flags, line)),
    )
    .command(
      "status",
      "Show what the runner is doing",
      (command) =>
        command.option("watch", {
          type: "boolean",
          describe: "Go on until interrupted (the default on a terminal)",
        }),
      (flags) => run(async () => (await import("./status.ts")).status(flags, line)),
    )
    .command(
      "operations",
      "List what ran, runs and waits",
      (command) => command.options({ state: { choices: operationStates }, ...paging }),
      (flags) => run(async () => (await import("./operations.ts")).operations(flags, line)),
    )
    .command(
      "cancel [id]",
      "End an operation, without an id the one that runs",
      (command) => command.positional("id", { type: "string", describe: "Id of the operation" }),
      (flags) => run(async () => (await import("./cancel.ts")).cancel(flags, line)),
    )
    .command(
      "pause [kind]",
      "Hold back all operations, or those of a kind, until resume",
      (command) => command.positional("kind", { choices: operationKinds, describe: "Only these" }),
      (flags) => run(async () => (await import("./pause.ts")).pause("pause", flags, line)),
    )
    .command(
      "resume [kind]",
      "Let operations go on",
      (command) => command.positional("kind", { choices: operationKinds, describe: "Only these" }),
      (flags) => run(async () => (await import("./pause.ts")).pause("resume", flags, line)),
    )
    .command(
      "retry <id>",
      "Try again what has failed or was cancelled",
      (command) =>
        command
          .positional("id", { type: "string", demandOption: true, describe: "Id of the operation" })
          .options({
            wait: { type: "boolean", default: true, describe: "Wait for its end (--no-wait: only start it)" },
          }),
      (flags) => run(async () => (await import("./retry.ts")).retry(flags, line)),
    )
    .command(
      "configure",
      "Change settings of the running runner; they survive a restart",
      (command) =>
        command.options({
          "scan-concurrency": { type: "number", requiresArg: true, describe: "Files read at the same time" },
          "operation-concurrency": {
            type: "number",
            requiresArg: true,
            describe: "Operations at the same time",
          },
          "organize-strategy": { choices: strategies, describe: "How files get to their place" },
          "log-level": {
            choices: ["debug", "info", "warn", "error"] as const,
            describe: "Least severe messages",
          },
        }),
      (flags) => run(async () => (await import("./configure.ts")).configure(flags, line)),
    )
    .command(
      "mqtt <what>",
      "watch: show all that the runner says; purge: take away all that it has left on the broker",
      (command) => command.positional("what", { choices: ["watch", "purge"] as const, demandOption: true }),
      (flags) => run(async () => (await import("./mqtt.ts")).mqtt(flags, line)),
    )
    .command(
      "backup <folder>",
      "Copy the data folder, whole and tried, into a new folder",
      (command) =>
        command.positional("folder", { type: "string", demandOption: true, describe: "New folder" }),
      (flags) => run(async () => (await import("./backup.ts")).backup(flags, line)),
    )
    .command(
      "restore <folder>",
      "Put a backup in the place of the data folder",
      (command) =>
        command
          .positional("folder", { type: "string", demandOption: true, describe: "What backup has made" })
          .option("force", { type: "boolean", default: false, describe: "Move aside what is there" }),
      (flags) => run(async () => (await import("./backup.ts")).restoreBackup(flags, line)),
    )
    .command(
      "doctor",
      "Check what the runner needs",
      (command) => withSettings(command),
      (flags) => run(async () => (await import("./doctor.ts")).doctor(flags, line)),
    )
    .command(
      "config <what>",
      "Check or print the configuration, or print its JSON Schema",
      (command) =>
        withSettings(command).positional("what", {
          choices: ["check", "print", "schema"] as const,
          demandOption: true,
        }),
      (flags) => run(async () => (await import("./config.ts")).config(flags, line)),
    )
    .command(
      "demo",
      "Show a runner at work on a small library of its own",
      (command) =>
        command.option("stay", { type: "boolean", default: false, describe: "Keep it up until interrupted" }),
      (flags) => run(async () => (await import("./demo.ts")).demo(flags, line)),
    )
    .completion("completion", "Print a completion script for the shell")
    .demandCommand(1, "Name a command.")
    .recommendCommands()
    .strict()
    .exitProcess(false)
    .fail(false)
    .epilogue(epilogue);
}

/** A flag with a text; of several the last counts. */
function text(describe: string) {
  const coerce = (given: string | readonly string[]) => (typeof given === "string" ? given : given.at(-1));
  return { type: "string", describe, requiresArg: true, coerce } as const;
}

/** A flag with a whole number. */
function wholeNumber(name: string, describe: string) {
  const coerce = (given: unknown) => {
    if (typeof given === "number" && Number.isSafeInteger(given)) return given;
    throw new Error(`--${name} must be one whole number`);
  };
  return { type: "number", describe, requiresArg: true, coerce } as const;
}

const paging = {
  limit: wholeNumber("limit", "At most so many (1 to 200)"),
  offset: wholeNumber("offset", "From this one on"),
} as const;

function withSettings<T>(command: Argv<T>) {
  return command.options({
    library: { type: "string", array: true, describe: "Folder to organize into", requiresArg: true },
    inbox: { type: "string", array: true, describe: "Folder where downloads land", requiresArg: true },
    "mqtt-port": wholeNumber("mqtt-port", "Port of the runner's own broker; 0 for any"),
    "log-level": { type: "string", describe: "debug, info, warn or error", requiresArg: true },
  });
}

/** Says what went wrong, for people or for programs, and with which exit code the process ends. */
function report(error: unknown, isJson: boolean, line: CommandLine): number {
  if (!(error instanceof AppError)) {
    // A defect: it shows where it is.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (isJson) line.out(JSON.stringify({ error: { code: "internal", message } }));
    line.err(`tomekeeper: ${message}`);
    return exitCodes.failed;
  }
  const { code, message, retryable, details } = error;
  if (isJson) line.out(JSON.stringify({ error: { code, message, retryable, details } }));
  line.err(`tomekeeper: ${message}`);
  switch (code) {
    case "config_invalid":
    case "invalid_payload":
      return exitCodes.usage;
    case "fatal_diagnostic":
    case "lock_held":
    case "store_newer":
    case "store_damaged":
      return exitCodes.fatal;
    case "no_runner":
      return exitCodes.noRunner;
    default:
      return exitCodes.failed;
  }
}
