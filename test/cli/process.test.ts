import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { connectAsync } from "mqtt";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";

const mainFile = path.resolve(import.meta.dirname, "../../src/main.ts");

let dir: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-process-"));
  mkdirSync(path.join(dir, "books"));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(dir, { recursive: true, force: true });
});

interface Process {
  readonly child: ChildProcess;
  readonly out: readonly string[];
  readonly err: () => string;
  /** Resolves with the line when it is printed, rejects when the process ends without it. */
  readonly line: (pattern: RegExp) => Promise<string>;
  readonly exit: Promise<number | null>;
}

function start(args: readonly string[]): Process {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("TOMEKEEPER_")),
  );
  const child = spawn(process.execPath, [mainFile, ...args], {
    cwd: dir,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  const out: string[] = [];
  let err = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  lines.on("line", (line) => out.push(line));
  const exit = once(child, "close").then(([code]) => (typeof code === "number" ? code : null));
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = out.find((candidate) => pattern.test(candidate));
        if (found !== undefined) resolve(found);
      };
      lines.on("line", look);
      look();
      void exit.then((code) => reject(new Error(`ended with ${code} before it printed ${pattern}:\n${err}`)));
    });
  return { child, out, err: () => err, line, exit };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

const runFlags = ["--library", "books", "--data", "data", "--mqtt-port", "0"];

describe("run", () => {
  test("prints one line when it is ready, keeps others off its folder and port, and ends with 0 at SIGTERM", async () => {
    writeFileSync(path.join(dir, "tomekeeper.yaml"), "node: attic\nscan: {walk_concurrency: 40}\n");
    const runner = start(["run", ...runFlags]);
    const ready = await runner.line(/^tomekeeper ready /);
    expect(ready).toMatch(/^tomekeeper ready mqtt:\/\/127\.0\.0\.1:\d+ tomekeeper\/attic$/);
    expect(readdirSync(path.join(dir, "data"))).toContain("runner.json");
    if (process.platform === "linux") {
      // A thread for every folder that is listed at the same time.
      expect(readdirSync(`/proc/${runner.child.pid}/task`).length).toBeGreaterThan(40);
    }

    const port = /:(\d+) /.exec(ready)?.[1] ?? "";
    const sameFolder = start(["run", ...runFlags]);
    const samePort = start(["run", "--library", "books", "--data", "other", "--mqtt-port", port]);
    const status = start(["status", "--data", "data", "--json"]);
    expect(await sameFolder.exit).toBe(3);
    expect(sameFolder.err()).toContain(`process ${runner.child.pid}`);
    expect(await samePort.exit).toBe(2);
    expect(samePort.err()).toContain(port);
    expect(await status.exit).toBe(0);
    expect(JSON.parse(status.out.join("\n"))).toMatchObject({
      availability: "online",
      info: { node: "attic" },
    });

    runner.child.kill("SIGTERM");
    expect(await runner.exit).toBe(0);
    expect(runner.out).toEqual([ready]);
    expect(readdirSync(path.join(dir, "data"))).not.toContain("runner.json");
  });

  test("does not start over a missing root, does not make it, and says what to do", async () => {
    const runner = start(["run", "--library", "gone", "--data", "data", "--mqtt-port", "0"]);
    expect(await runner.exit).toBe(3);
    expect(runner.err()).toContain(`${path.join(dir, "gone")} does not exist`);
    expect(runner.err()).toContain("→ mount its disk");
    expect(runner.out).toEqual([]);
    expect(existsSync(path.join(dir, "gone"))).toBe(false);
  });

  test("starts while its external broker is away, shows no password, and ends with 0 at SIGINT", async () => {
    const port = await freePort();
    const broker = `mqtt://me:canary@127.0.0.1:${port}`;
    const runner = start(["run", "--library", "books", "--data", "data", "--broker", broker]);
    const ready = await runner.line(/^tomekeeper ready /);
    expect(ready).toBe(`tomekeeper ready mqtt://127.0.0.1:${port} tomekeeper/main`);
    runner.child.kill("SIGINT");
    expect(await runner.exit).toBe(0);
    expect(runner.err()).not.toContain("canary");
  });
});

describe("scan without a runner", () => {
  test("starts one for the scan, also where the last one was ended at once by a second signal", async () => {
    const runner = start(["run", ...runFlags]);
    await runner.line(/^tomekeeper ready /);
    // Two different ones, since the same twice may arrive as one.
    runner.child.kill("SIGINT");
    runner.child.kill("SIGTERM");
    expect([130, 143]).toContain(await runner.exit);

    const scan = start(["scan", "--library", "books", "--data", "data"]);
    expect(await scan.exit).toBe(0);
    expect(scan.out.join("\n")).toMatch(/^Scanned \d+ folders? with 0 files/);
    expect(readdirSync(path.join(dir, "data"))).not.toContain("runner.json");
  });

  test.skipIf(mosquittoPath === null)(
    "uses the configured broker where that is there (needs Mosquitto)",
    async () => {
      const mosquitto = await startMosquitto();
      try {
        writeFileSync(path.join(dir, "tomekeeper.yaml"), `mqtt: {url: "${mosquitto.url}"}\n`);
        const scan = start(["scan", "--library", "books", "--data", "data", "--json"]);
        expect(await scan.exit).toBe(0);
        expect(JSON.parse(scan.out.join("\n"))).toMatchObject({ state: "completed", summary: { books: 0 } });
        const client = await connectAsync(mosquitto.url);
        const availability = new Promise((resolve) =>
          client.once("message", (_, payload) => resolve(`${payload}`)),
        );
        await client.subscribeAsync("tomekeeper/main/availability");
        expect(await availability).toBe("offline");
        await client.endAsync();
      } finally {
        await mosquitto.stop();
      }
    },
  );
});

test("output that nobody reads any more ends the command quietly", async () => {
  const child = spawn("/bin/sh", ["-c", `"${process.execPath}" "${mainFile}" config schema | head -c 1`], {
    cwd: dir,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (data) => {
    err += String(data);
  });
  await once(child, "close");
  expect(err).toBe("");
});
