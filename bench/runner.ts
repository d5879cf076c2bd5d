import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { connectAsync, type MqttClient } from "mqtt";

/** A runner as users start it, in a process of its own, spoken to over MQTT. */
export interface BenchRunner {
  /** From the start of the process to the line that says that it is ready. */
  readonly readyMs: number;
  readonly client: MqttClient;
  readonly base: string;
  /** Sends a command and resolves with the data of its last answer. */
  ask(command: string, payload: object): Promise<Json>;
  /** Resolves with the first value of a state topic, from now on, that `accept` takes. */
  state(topic: string, accept: (payload: Json) => boolean): Promise<Json>;
  /** Resident memory now and at most, so far. */
  memory(): { readonly rssBytes: number; readonly peakBytes: number };
  /** How late the event loop was since the last call. */
  loopDelay(): Promise<{ readonly p99Ms: number; readonly maxMs: number }>;
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
}

export type Json = Readonly<Record<string, unknown>>;

export interface RunnerOptions {
  /** The program's first file, absolute. */
  readonly main: string;
  readonly libraryPath: string;
  readonly inboxPath?: string;
  readonly dataDir: string;
  /** More settings, as environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts a runner that does not scan by itself, and resolves when it is ready. Throws with what it said if it ends. */
export async function startRunner({
  main,
  libraryPath,
  inboxPath,
  dataDir,
  env = {},
}: RunnerOptions): Promise<BenchRunner> {
  const delayFile = `${dataDir}.loop-delay.json`;
  const startedMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      ...["--import", path.join(import.meta.dirname, "loop-delay.mjs"), main],
      ...["run", "--library", libraryPath, ...(inboxPath === undefined ? [] : ["--inbox", inboxPath])],
      ...["--data", dataDir, "--mqtt-port", "0", "--log-level", "error"],
    ],
    {
      cwd: path.dirname(dataDir),
      env: {
        ...process.env,
        TOMEKEEPER_SCAN__ON_STARTUP: "false",
        BENCH_LOOP_DELAY_FILE: delayFile,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const [url, base] = await readyLine(child);
  const readyMs = performance.now() - startedMs;
  const client = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 });
  return createRunner(child, client, { base, readyMs, delayFile });
}

async function readyLine(child: ChildProcess): Promise<readonly [url: string, base: string]> {
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  if (child.stdout === null) throw new Error("the runner has no standard output");
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = /^tomekeeper ready (\S+) (\S+)$/.exec(line);
    if (ready !== null) return [ready[1] ?? "", ready[2] ?? ""];
  }
  throw new Error(`the runner ended before it was ready: ${said}`);
}

function createRunner(
  child: ChildProcess,
  client: MqttClient,
  {
    base,
    readyMs,
    delayFile,
  }: { readonly base: string; readonly readyMs: number; readonly delayFile: string },
): BenchRunner {
  let asked = 0;
  const exited = once(child, "exit");
  const pid = child.pid ?? 0;
  return {
    readyMs,
    client,
    base,
    ask: async (command, payload) => {
      const transaction = `bench-${process.pid}-${Date.now()}-${++asked}`;
      await client.subscribeAsync(`${base}/response/${command}`, { qos: 1 });
      const answer = waitFor(client, `${base}/response/${command}`, (found) => {
        return found["transaction"] === transaction && found["status"] !== "accepted";
      });
      client.publish(`${base}/cmd/${command}`, JSON.stringify({ ...payload, transaction }), { qos: 1 });
      const { status, data, error } = await answer;
      if (status === "error") throw new Error(`${command}: ${JSON.stringify(error)}`);
      return asJson(data);
    },
    state: async (topic, accept) => {
      const found = waitFor(client, `${base}/${topic}`, accept);
      await client.subscribeAsync(`${base}/${topic}`, { qos: 1 });
      return await found;
    },
    memory: () => {
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      const bytesOf = (key: string) =>
        Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
      return { rssBytes: bytesOf("VmRSS"), peakBytes: bytesOf("VmHWM") };
    },
    loopDelay: async () => {
      rmSync(delayFile, { force: true });
      child.kill("SIGUSR2");
      for (;;) {
        await sleep(20);
        try {
          return JSON.parse(readFileSync(delayFile, "utf8"));
        } catch {
          if (child.exitCode !== null) throw new Error("the runner has ended");
        }
      }
    },
    stop: async () => {
      await client.endAsync(true);
      child.kill("SIGTERM");
      await exited;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
      await client.endAsync(true);
    },
  };
}

function waitFor(client: MqttClient, topic: string, accept: (payload: Json) => boolean): Promise<Json> {
  const found = Promise.withResolvers<Json>();
  const settle = (action: () => void) => {
    client.off("message", heard);
    client.off("close", closed);
    action();
  };
  const heard = (at: string, bytes: Buffer) => {
    if (at !== topic) return;
    const payload = asJson(JSON.parse(bytes.toString()));
    if (accept(payload)) settle(() => found.resolve(payload));
  };
  const closed = () =>
    settle(() => found.reject(new Error(`the runner went away while ${topic} was awaited`)));
  client.on("message", heard);
  client.on("close", closed);
  return found.promise;
}

export function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
