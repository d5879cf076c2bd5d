import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import type { EmbeddedBrokerOptions } from "../../src/bus/broker.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { CommandHandlers } from "../../src/bus/commands.ts";
import { main } from "../../src/cli/cli.ts";
import type { CommandLine } from "../../src/cli/command-line.ts";
import type { Operation } from "../../src/domain/operation.ts";
import { writeRunnerFile } from "../../src/runner-file.ts";
import { type Cleanup, makeBus, startBroker } from "../bus/harness.ts";

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** A folder with its own configuration file, where commands are run as a user would. */
export interface Desk {
  readonly dir: string;
  readonly configure: (yaml: string) => void;
  /** Runs a command as if typed; `changes` is what differs from output into a pipe. */
  readonly type: (args: readonly string[], changes?: Partial<CommandLine>) => Promise<Outcome>;
  /** The same, and what it printed must be one JSON document. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers freely
  readonly typeJson: (args: readonly string[]) => Promise<{ exitCode: number; json: any }>;
}

export function makeDesk(cleanup: Cleanup): Desk {
  const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-cli-"));
  cleanup.add(() => rmSync(dir, { recursive: true, force: true }));
  const configure = (yaml: string) => writeFileSync(path.join(dir, "tomekeeper.yaml"), yaml);
  configure("data_dir: .\n");
  const type: Desk["type"] = async (args, changes = {}) => {
    const out: string[] = [];
    const err: string[] = [];
    const line: CommandLine = {
      out: (text) => out.push(text),
      err: (text) => err.push(text),
      env: {},
      cwd: dir,
      home: dir,
      isTerminal: false,
      progressStream: null,
      columns: Number.POSITIVE_INFINITY,
      hasColor: false,
      ask: null,
      signal: new AbortController().signal,
      ...changes,
    };
    const exitCode = await main(args, line);
    return { exitCode, out: out.join("\n"), err: err.join("\n") };
  };
  return {
    dir,
    configure,
    type,
    typeJson: async (args) => {
      const { exitCode, out } = await type([...args, "--json"]);
      return { exitCode, json: JSON.parse(out) };
    },
  };
}

export interface Script {
  readonly handlers?: Partial<CommandHandlers>;
  readonly findOperation?: (id: string) => Operation | null;
  readonly broker?: Partial<EmbeddedBrokerOptions>;
}

/** A real broker and bus whose commands do what a test says, found through the desk's folder. */
export async function startScripted(
  cleanup: Cleanup,
  desk: Desk,
  script: Script = {},
): Promise<{ readonly bus: Bus; readonly url: string }> {
  const broker = await startBroker(cleanup, script.broker);
  const bus = makeBus(cleanup, {
    transport: { kind: "stream", open: broker.open },
    ...(script.handlers === undefined ? {} : { handlers: script.handlers }),
    ...(script.findOperation === undefined ? {} : { findOperation: script.findOperation }),
  });
  await bus.start();
  const file = path.join(desk.dir, "tomekeeper.yaml");
  writeRunnerFile(desk.dir, {
    url: broker.url,
    node: "main",
    pid: process.pid,
    boot_id: "boot",
    config_file: file,
  });
  return { bus, url: broker.url };
}
