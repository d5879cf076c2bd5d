import { randomUUID } from "node:crypto";
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";

/** How a command on the same machine finds the runner of a data folder. Readable by its owner only. */
export interface RunnerFile {
  /** The broker's address, without a login. */
  readonly url: string;
  readonly node: string;
  readonly pid: number;
  /** The machine or container that `pid` is of. */
  readonly host: string;
  readonly boot_id: string;
  /** The configuration file in use, absolute: the login for the broker is read from there, it stands not here. */
  readonly config_file: string | null;
}

const fileName = "runner.json";

/** Writes `runner.json` (mode 0600) into the data folder, whole or not at all. Throws what the disk says. */
export function writeRunnerFile(dataDir: string, runner: Omit<RunnerFile, "host">): void {
  const temporary = path.join(dataDir, `.${fileName}.${randomUUID()}`);
  try {
    writeFileSync(temporary, `${JSON.stringify({ ...runner, host: hostname() })}\n`, {
      mode: 0o600,
      flag: "wx",
    });
    chmodSync(temporary, 0o600);
    renameSync(temporary, path.join(dataDir, fileName));
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Removes it, unless a later runner's file has taken its place. */
export function removeRunnerFile(dataDir: string, bootId: string): void {
  const file = path.join(dataDir, fileName);
  if (readRunner(file)?.boot_id === bootId) rmSync(file, { force: true });
}

/** The runner of this data folder; null where there is none, or only the file of one that was killed. */
export function readRunnerFile(dataDir: string): RunnerFile | null {
  const runner = readRunner(path.join(dataDir, fileName));
  if (runner === null) return null;
  // In another container the number says nothing: the connection will tell.
  return runner.host !== hostname() || isAlive(runner.pid) ? runner : null;
}

function readRunner(file: string): RunnerFile | null {
  try {
    const found: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isRunnerFile(found) ? found : null;
  } catch {
    return null;
  }
}

function isRunnerFile(found: unknown): found is RunnerFile {
  if (typeof found !== "object" || found === null) return false;
  const record = { ...found } as Readonly<Record<string, unknown>>;
  return (
    ["url", "node", "boot_id", "host"].every((key) => typeof record[key] === "string") &&
    Number.isSafeInteger(record["pid"]) &&
    (record["config_file"] === null || typeof record["config_file"] === "string")
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and another user's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
