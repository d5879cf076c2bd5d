import type { ConfigResult } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { AppError } from "../errors.ts";
import { readRunnerFile } from "../runner-file.ts";
import type { CommandLine } from "./command-line.ts";
import { connectToRunner, type RunnerAddress, type RunnerLink } from "./connection.ts";
import { configOf, type PlaceFlags } from "./sources.ts";

/**
 * Connects to the runner: the one that `--broker` names, else the one of the data folder (its `runner.json`),
 * else the one at the configuration's broker. Throws `no_runner` when none answers, saying where it was looked for.
 */
export async function findRunner(
  flags: PlaceFlags,
  line: Pick<CommandLine, "env" | "cwd" | "home">,
): Promise<RunnerLink> {
  return await connectToRunner(findBroker(flags, line));
}

/** The broker that the runner is at, or was; as `findRunner`, and whether it runs or not. */
export function findBroker(
  flags: PlaceFlags,
  line: Pick<CommandLine, "env" | "cwd" | "home">,
): RunnerAddress {
  const result = configOf(flags, line);
  const address = flags.broker === undefined ? localAddress(flags, result, line) : brokerAddress(result);
  if (address !== null) return address;
  throw new AppError(
    "no_runner",
    `no runner uses ${result.config.data_dir}: start one with \`tomekeeper run\`, or name its data folder (--data) or broker (--broker)`,
  );
}

function localAddress(
  flags: PlaceFlags,
  result: ConfigResult,
  line: Pick<CommandLine, "env" | "cwd" | "home">,
): RunnerAddress | null {
  const runner = readRunnerFile(result.config.data_dir);
  if (runner === null) return brokerAddress(result);
  const file = runner.config_file;
  const theirs = file === null || file === result.file ? result : configOf({ ...flags, config: file }, line);
  return { url: runner.url, node: runner.node, ...loginOf(theirs.config) };
}

function brokerAddress({ config }: ConfigResult): RunnerAddress | null {
  return config.mqtt.url === null ? null : { url: config.mqtt.url, node: config.node, ...loginOf(config) };
}

/** The login of a client that may send commands; for the runner's own broker, the first user who may. */
export function loginOf({ mqtt }: Config): Omit<RunnerAddress, "url" | "node"> {
  if (mqtt.url !== null)
    return { username: mqtt.username, password: mqtt.password, ca: mqtt.ca, isOwn: false };
  const user = mqtt.embedded.users.find((candidate) => candidate.role !== "read");
  return {
    username: user?.username ?? null,
    password: user?.password ?? null,
    ca: mqtt.embedded.tls?.cert ?? null,
    isOwn: true,
  };
}
