import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readRunnerFile, writeRunnerFile } from "../../src/runner-file.ts";
import { acquireLock } from "../../src/store/lock.ts";
import { version } from "../../src/version.ts";
import { Cleanup, startBroker } from "../bus/harness.ts";
import { type Desk, makeDesk, startScripted } from "./scripted-runner.ts";

let cleanup: Cleanup;
let desk: Desk;
beforeEach(() => {
  cleanup = new Cleanup();
  desk = makeDesk(cleanup);
});
afterEach(() => cleanup.run());

describe("the command as typed", () => {
  test("--help names every command and the exit codes", async () => {
    const { exitCode, out } = await desk.type(["--help"]);
    expect(exitCode).toBe(0);
    for (const command of [
      "run",
      "scan",
      "query",
      "book",
      "set",
      "status",
      "operations",
      "cancel",
      "doctor",
      "config",
      "demo",
    ]) {
      expect(out.match(new RegExp(`^ {2}tomekeeper ${command}\\b`, "gm")), command).toHaveLength(1);
    }
    expect(out.replace(/\s+/g, " ")).toContain(
      "0 done, 1 the operation failed, 2 configuration or usage, 3 a fatal diagnostic, 4 no runner reached",
    );
  });

  test("--version prints the version alone", async () => {
    expect(await desk.type(["--version"])).toEqual({ exitCode: 0, out: version, err: "" });
  });

  test.each([
    [["qurey"], "Did you mean query?"],
    [["query", "--foo", "x"], "Unknown argument: foo"],
    [["query", "--sort", "size"], "Choices"],
    [["query", "--limit", "x"], "--limit must be one whole number"],
    [["run", "--mqtt-port", "x"], "--mqtt-port must be one whole number"],
    [["retry"], "Not enough"],
    [[], "Name a command."],
    [["config", "foo"], "Choices"],
  ] as const)("%j is a usage error that says what to type", async (args, message) => {
    const { exitCode, out, err } = await desk.type(args);
    expect(exitCode).toBe(2);
    expect(err).toContain(message);
    expect(out).toBe("");
  });

  test("completes the names of commands", async () => {
    const { out } = await desk.type(["--get-yargs-completions", "tomekeeper", "sta"]);
    expect(out.split("\n")).toContain("status");
  });
});

describe("the configuration", () => {
  test("that is wrong ends every command with 2 and a line per problem", async () => {
    desk.configure("data_dir: .\nscan: {concurency: 1}\nfoo: 1\n");
    for (const args of [["config", "check"], ["query"], ["status"], ["run"], ["doctor"], ["scan"]]) {
      const { exitCode, err } = await desk.type(args);
      expect(exitCode).toBe(2);
      expect(err.split("\n")).toEqual([
        "tomekeeper: the configuration has 2 problems:",
        "tomekeeper.yaml:2: scan.concurency is not a setting; did you mean scan.concurrency?",
        expect.stringContaining("tomekeeper.yaml:3: foo is not a setting"),
      ]);
    }
    const { json } = await desk.typeJson(["config", "check"]);
    expect(json.error).toMatchObject({
      code: "config_invalid",
      details: { problems: [expect.any(String), expect.any(String)] },
    });
  });

  test("that is right is said so, with its warnings on standard error", async () => {
    desk.configure("data_dir: .\nroots: [{path: a}]\nscan: {concurrency: 0}\n");
    const { exitCode, out, err } = await desk.type(["config", "check"]);
    expect(exitCode).toBe(0);
    expect(out).toBe(`${path.join(desk.dir, "tomekeeper.yaml")}: the configuration is valid`);
    expect(err).toBe("warning: tomekeeper.yaml:3: scan.concurrency is 0: below 1, so it is taken as 1");
  });

  test("takes roots from repeated flags and from several values of one", async () => {
    const { json } = await desk.typeJson([
      "config",
      "print",
      "--library",
      "a",
      "--library",
      "b",
      "c",
      "--inbox",
      "d",
      "--node",
      "n",
      "--mqtt-port",
      "0",
      "--log-level",
      "debug",
      "--data",
      "e",
    ]);
    expect(json.roots.map((root: { id: string; kind: string }) => [root.id, root.kind])).toEqual([
      ["a", "library"],
      ["b", "library"],
      ["c", "library"],
      ["d", "inbox"],
    ]);
    expect(json).toMatchObject({ node: "n", log_level: "debug", data_dir: path.join(desk.dir, "e") });
    expect(json.mqtt.embedded.port).toBe(0);
  });

  test("is printed without its secrets", async () => {
    desk.configure("data_dir: .\nmqtt: {username: u, password: canary}\n");
    for (const args of [
      ["config", "print"],
      ["config", "print", "--json"],
    ]) {
      const { out } = await desk.type(args);
      expect(out).toContain("***");
      expect(out).not.toContain("canary");
    }
  });

  test("has a JSON Schema", async () => {
    const { json } = await desk.typeJson(["config", "schema"]);
    expect(json).toMatchObject({
      type: "object",
      properties: { scan: { type: "object" } },
      additionalProperties: false,
    });
  });
});

describe("the runner", () => {
  test("that is not there ends with 4 and says where it was looked for and what to do", async () => {
    const { exitCode, err } = await desk.type(["query", "x"]);
    expect(exitCode).toBe(4);
    expect(err).toContain(`no runner uses ${desk.dir}`);
    expect(err).toContain("tomekeeper run");
    expect((await desk.typeJson(["status"])).json.error.code).toBe("no_runner");
  });

  test("whose broker is gone ends with 4", async () => {
    writeRunnerFile(desk.dir, {
      url: "mqtt://127.0.0.1:1",
      node: "main",
      pid: process.pid,
      boot_id: "b",
      config_file: null,
    });
    const { exitCode, err } = await desk.type(["query", "x"]);
    expect(exitCode).toBe(4);
    expect(err).toContain("mqtt://127.0.0.1:1");
    expect(err).toContain("ECONNREFUSED");
  });

  test("that is not on the broker ends with 4", async () => {
    const { url } = await startScripted(cleanup, desk);
    const { exitCode, err } = await desk.type(["query", "x", "--broker", url, "--node", "other"]);
    expect(exitCode).toBe(4);
    expect(err).toContain("tomekeeper/other was never there");
  });

  test("that has stopped is offline", async () => {
    const { bus, url } = await startScripted(cleanup, desk);
    await bus.stop();
    const { exitCode, err } = await desk.type(["query", "x", "--broker", url]);
    expect(exitCode).toBe(4);
    expect(err).toContain("is offline");
  });

  test("is found by the broker that --broker, or the configuration, names", async () => {
    const { url } = await startScripted(cleanup, desk);
    mkdirSync(path.join(desk.dir, "elsewhere"));
    const elsewhere = ["query", "--data", "elsewhere"];
    expect(await desk.type([...elsewhere, "--broker", url])).toMatchObject({ exitCode: 0 });
    desk.configure(`mqtt: {url: "${url}"}\n`);
    expect(await desk.type(elsewhere)).toMatchObject({ exitCode: 0 });
  });

  test("is spoken to with the login of a user who may send commands", async () => {
    const users = [
      { username: "panel", password: "p1", role: "read" },
      { username: "me", password: "p2", role: "control" },
    ] as const;
    await startScripted(cleanup, desk, { broker: { users } });
    expect((await desk.type(["query"])).exitCode).toBe(4);
    desk.configure(
      "data_dir: .\nmqtt:\n  embedded:\n    users:\n      - {username: panel, password: p1, role: read}\n      - {username: me, password: p2}\n",
    );
    expect(await desk.type(["query"])).toMatchObject({ exitCode: 0, err: "" });
  });

  test("is spoken to as its own configuration file says, where the command has none", async () => {
    const users = [{ username: "me", password: "p2", role: "control" }] as const;
    await startScripted(cleanup, desk, { broker: { users } });
    const file = path.join(desk.dir, "runner.yaml");
    writeFileSync(file, "data_dir: .\nmqtt: {embedded: {users: [{username: me, password: p2}]}}\n");
    const runner = readRunnerFile(desk.dir);
    if (runner !== null) writeRunnerFile(desk.dir, { ...runner, config_file: file });
    expect(await desk.type(["query", "--data", desk.dir], { cwd: "/" })).toMatchObject({ exitCode: 0 });
  });

  test("whose password is wrong is told apart from one that is away, and the password is not shown", async () => {
    const broker = await startBroker(cleanup, {
      users: [{ username: "me", password: "right", role: "control" }],
    });
    const withLogin = broker.url.replace("mqtt://", "mqtt://me:canary@");
    const { exitCode, err } = await desk.type(["query", "--broker", withLogin]);
    expect(exitCode).toBe(4);
    expect(err).toMatch(/not authorized|bad user name or password/i);
    expect(err).not.toContain("canary");
  });
});

describe("doctor without a runner", () => {
  test("checks by itself and makes nothing", async () => {
    mkdirSync(path.join(desk.dir, "books"));
    const { exitCode, json } = await desk.typeJson(["doctor", "--library", "books", "--data", "data"]);
    expect(exitCode).toBe(0);
    expect(json.checks).toContainEqual(
      expect.objectContaining({ check: "root_exists:books", severity: "ok" }),
    );
    expect(existsSync(path.join(desk.dir, "data"))).toBe(false);
    mkdirSync(path.join(desk.dir, "empty"));
    await desk.typeJson(["doctor", "--library", "books", "--data", "empty"]);
    expect(readdirSync(path.join(desk.dir, "empty"))).toEqual([]);
  });

  test("looks into the store, leaves the folder free, and ends with 3 where something is fatal", async () => {
    const damaged = path.join(desk.dir, "data", "catalogue.db");
    mkdirSync(path.dirname(damaged));
    mkdirSync(path.join(desk.dir, "books"));
    const command = ["doctor", "--library", "books", "--data", "data"];
    expect(await desk.type(command)).toMatchObject({ exitCode: 0 });
    expect(await desk.type(command)).toMatchObject({ exitCode: 0 });
    writeFileSync(damaged, "no database ".repeat(1000));
    const { exitCode, out } = await desk.type(command);
    expect(exitCode).toBe(3);
    expect(out).toMatch(/^fatal +store_schema:catalogue /m);
    expect(await desk.type(["doctor", "--library", "gone", "--data", "data2"])).toMatchObject({
      exitCode: 3,
    });
  });

  test("says who holds the data folder where that one does not answer", async () => {
    mkdirSync(path.join(desk.dir, "data"));
    const lock = await acquireLock(path.join(desk.dir, "data"), new Date());
    const { exitCode, out } = await desk.type(["doctor", "--data", "data"]);
    await lock.release();
    expect(exitCode).toBe(3);
    expect(out).toMatch(new RegExp(`^fatal +lock .*process ${process.pid}`, "m"));
  });
});
