import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { configSchema } from "../../src/config/schema.ts";
import { version } from "../../src/version.ts";
import { type Mosquitto, mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";
import { manifest } from "./manifest.ts";

const folder = path.resolve(import.meta.dirname, "../../addon");
const read = (name: string): string => readFileSync(path.join(folder, name), "utf8");
const config = parse(read("config.yaml"));

type Json = Readonly<Record<string, unknown>>;

/** Plain JavaScript, as the image has it. */
const {
  configurationOf,
  places,
}: {
  readonly configurationOf: (options: Json, service: Json | null) => Json;
  readonly places: Readonly<Record<string, string>>;
} = await import(new URL("../../addon/options.mjs", import.meta.url).href);

describe("the manifest", () => {
  test("has what the Supervisor asks for, and no right that is not used", () => {
    expect(manifest.parse(config)).toMatchObject({ version, slug: "tomekeeper", arch: ["aarch64", "amd64"] });
    expect(parse(readFileSync(path.join(folder, "../repository.yaml"), "utf8"))).toEqual({
      name: expect.any(String),
      url: expect.stringMatching(/^https:/),
      maintainer: expect.any(String),
    });
    expect(existsSync(path.join(folder, "build.yaml"))).toBe(false);
  });

  test("names and describes every option, and none that is not there", () => {
    const { configuration } = parse(read("translations/en.yaml"));
    expect(Object.keys(configuration)).toEqual(Object.keys(config.schema));
    for (const text of Object.values<Json>(configuration)) {
      expect(text).toEqual({ name: expect.any(String), description: expect.any(String) });
    }
    for (const option of Object.keys(config.options)) expect(config.schema).toHaveProperty([option]);
  });

  test("has the defaults that the program has, and starts with them", () => {
    const { roots: _roots, http: _http, mqtt: _mqtt, ...rest } = configurationOf(config.options, null);
    const defaults = configSchema.parse({}) as unknown as Json;
    for (const [section, value] of Object.entries(rest)) {
      if (typeof value === "object") expect(defaults[section]).toMatchObject(value as Json);
      else expect(defaults[section]).toBe(value);
    }
  });

  test("has pictures of the sizes that the store shows", () => {
    const size = (name: string) => {
      const bytes = readFileSync(path.join(folder, name));
      expect(bytes.subarray(1, 4).toString()).toBe("PNG");
      return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
    };
    expect(size("icon.png")).toEqual([128, 128]);
    expect(size("logo.png")).toEqual([250, 100]);
  });
});

const json = (place: string): Json => {
  const { $defs: _defs, ...root } = JSON.parse(
    readFileSync(path.resolve(folder, "../docs/reference/config.schema.json"), "utf8"),
  );
  return place.split(".").reduce<Json>((node, key) => {
    const properties = node["properties"] as Readonly<Record<string, Json>> | undefined;
    const next = properties?.[key] ?? (node["additionalProperties"] as Json | undefined);
    if (next === undefined || typeof next !== "object") throw new Error(`the configuration has no ${place}`);
    return next;
  }, root);
};

/** Where a value may also be null, what it is otherwise. */
const notNull = (node: Json): Json =>
  (node["anyOf"] as readonly Json[] | undefined)?.find(({ type }) => type !== "null") ?? node;

describe("an option", () => {
  const mapped = Object.entries(places);

  test("is there for each place, and the other way round", () => {
    const apart = ["libraries", "inboxes", "mqtt_url", "mqtt_username", "mqtt_password"];
    expect(new Set([...apart, ...mapped.map(([option]) => option)])).toEqual(
      new Set(Object.keys(config.schema)),
    );
  });

  // What plugins make of their own sections is no part of the configuration's schema.
  test.each(mapped.filter(([, place]) => !place.startsWith("plugins.")))(
    "%s is what %s takes",
    (option, place) => {
      const node = notNull(json(place));
      const [given] = [config.schema[option]].flat();
      const type = String(given).replace(/\?$/, "");
      const range = /^int\((\d+),(\d+)\)$/.exec(type);
      const list = /^list\((.+)\)$/.exec(type)?.[1];
      if (range !== null)
        expect(node).toMatchObject({ type: "integer", minimum: Number(range[1]), maximum: Number(range[2]) });
      else if (list !== undefined) expect(node["enum"]).toEqual(list.split("|"));
      else if (type === "bool") expect(node["type"]).toBe("boolean");
      else if (Array.isArray(config.schema[option])) {
        expect(node).toMatchObject({ type: "array", items: { pattern: /^match\((.*)\)$/.exec(type)?.[1] } });
      } else expect(node["type"]).toBe("string");
      if (type.startsWith("match(") && node["type"] === "string")
        expect(node["pattern"]).toBe(/^match\((.*)\)$/.exec(type)?.[1]);
    },
  );

  test("of a broker wins over what the Supervisor knows, and its protocol is of no account", () => {
    const service = {
      host: "core-mosquitto",
      port: 1883,
      ssl: false,
      username: "addons",
      password: "x",
      protocol: "3.1.1",
    };
    expect(configurationOf({}, service)).toMatchObject({
      mqtt: { url: "mqtt://core-mosquitto:1883", username: "addons", password: "x" },
    });
    expect(configurationOf({}, { ...service, ssl: true, username: "" })["mqtt"]).toEqual({
      url: "mqtts://core-mosquitto:1883",
      password: "x",
    });
    expect(configurationOf({ mqtt_url: "mqtt://mine:1" }, service)["mqtt"]).toEqual({ url: "mqtt://mine:1" });
    expect(configurationOf({}, null)["mqtt"]).toEqual({ embedded: { port: 0 } });
    const made = configurationOf({ ...config.options, audible_region: "de", discovery: "off" }, service);
    expect(configSchema.safeParse(made).error).toBeUndefined();
  });
});

describe("the run script in a rootfs", () => {
  let rootfs: string;
  let supervisor: Server;
  /** What the Supervisor knows of a broker. */
  let service: object | null;
  let asked: (string | undefined)[];
  let child: ChildProcess | null;
  let output: string;
  let broker: Mosquitto | null;

  beforeEach(async () => {
    rootfs = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-rootfs-"));
    for (const name of ["data", "media/audiobooks", "app/dist/src"])
      mkdirSync(path.join(rootfs, name), { recursive: true });
    for (const name of readdirSync(folder)) {
      if (name.endsWith(".mjs")) copyFileSync(path.join(folder, name), path.join(rootfs, name));
    }
    const main = path.resolve(folder, "../src/main.ts");
    writeFileSync(path.join(rootfs, "app/dist/src/main.js"), `import ${JSON.stringify(main)};\n`);
    writeFileSync(path.join(rootfs, "app/package.json"), '{ "type": "module" }\n');
    service = null;
    asked = [];
    child = null;
    broker = null;
    output = "";
    supervisor = createServer((request, response) => {
      asked.push(request.headers.authorization);
      const isRight = request.url === "/services/mqtt" && request.headers.authorization === "Bearer token";
      const [status, body] = !isRight
        ? [401, { result: "error", message: "unauthorized" }]
        : service === null
          ? [400, { result: "error", message: "No services provided for mqtt" }]
          : [200, { result: "ok", data: service }];
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => supervisor.once("listening", resolve));
  });
  afterEach(async () => {
    await ended("SIGKILL");
    await broker?.stop();
    supervisor.closeAllConnections();
    supervisor.close();
    rmSync(rootfs, { recursive: true, force: true });
  });

  function start(options: Json): void {
    const all = { ...config.options, libraries: [path.join(rootfs, "media/audiobooks")], ...options };
    writeFileSync(path.join(rootfs, "data/options.json"), JSON.stringify(all));
    const { port } = supervisor.address() as AddressInfo;
    child = spawn(process.execPath, [path.join(rootfs, "run.mjs")], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        SUPERVISOR_API: `http://127.0.0.1:${port}`,
        SUPERVISOR_TOKEN: "token",
        LOOK_MS: "200",
      },
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
  }

  async function ended(signal: NodeJS.Signals): Promise<number | null> {
    const ending = child;
    child = null;
    if (ending === null) return null;
    const code = new Promise<number | null>((resolve) => ending.once("exit", resolve));
    if (ending.exitCode !== null) return ending.exitCode;
    // The runner below it, too, which hears of a SIGKILL from nobody.
    if (signal === "SIGKILL") spawnSync("pkill", ["-KILL", "-P", String(ending.pid)]);
    ending.kill(signal);
    return await code;
  }

  const serviceOf = ({ port }: Mosquitto) => ({
    addon: "core_mosquitto",
    host: "127.0.0.1",
    port,
    ssl: false,
    username: "addons",
    password: "secret",
    protocol: "3.1.1",
  });
  const ready = { timeout: 20_000 };

  test.skipIf(mosquittoPath === null)(
    "uses the broker that the Supervisor knows, and stops as asked (needs mosquitto)",
    async () => {
      broker = await startMosquitto({ passwords: { addons: "secret" } });
      service = serviceOf(broker);
      start({ log_level: "debug" });
      await expect
        .poll(() => output, ready)
        .toContain(`tomekeeper ready mqtt://127.0.0.1:${broker.port} tomekeeper/main`);
      expect(asked).toEqual(["Bearer token"]);
      expect(output).toMatch(/Connected to the broker with MQTT 5/);
      expect(output).not.toContain("secret");
      expect(statSync(path.join(rootfs, "data/tomekeeper.yaml")).mode & 0o777).toBe(0o600);
      const health = spawnSync(process.execPath, [path.join(rootfs, "health.mjs")]);
      expect(health.status).toBe(0);

      const backup = (what: string) =>
        spawnSync(process.execPath, [path.join(rootfs, "backup.mjs"), what], { encoding: "utf8" });
      const mark = path.join(rootfs, "data/paused-for-backup");
      expect(backup("pre")).toMatchObject({ status: 0, stderr: "" });
      expect(existsSync(mark)).toBe(true);
      const state = () =>
        JSON.parse(
          spawnSync(
            process.execPath,
            [
              path.join(rootfs, "app/dist/src/main.js"),
              "status",
              "--json",
              "--data",
              path.join(rootfs, "data/store"),
              "--config",
              path.join(rootfs, "data/tomekeeper.yaml"),
            ],
            { encoding: "utf8" },
          ).stdout,
        ).queue.state;
      expect(state()).toBe("paused");
      expect(backup("post")).toMatchObject({ status: 0, stderr: "" });
      expect(state()).toBe("running");
      expect(existsSync(mark)).toBe(false);
      expect(await ended("SIGTERM")).toBe(0);
    },
  );

  test.skipIf(mosquittoPath === null)(
    "begins with a broker of its own, and again with the one that comes later (needs mosquitto)",
    async () => {
      start({});
      await expect.poll(() => output, ready).toMatch(/the Supervisor knows no MQTT broker yet/);
      await expect
        .poll(() => output, ready)
        .toMatch(/tomekeeper ready mqtt:\/\/127\.0\.0\.1:\d+ tomekeeper\/main/);
      broker = await startMosquitto({ passwords: { addons: "secret" } });
      service = serviceOf(broker);
      await expect
        .poll(() => output, ready)
        .toContain(`tomekeeper ready mqtt://127.0.0.1:${broker.port} tomekeeper/main`);
      expect(await ended("SIGTERM")).toBe(0);
    },
  );

  test("waits for a broker that is known and not there yet, and for one of the user's own asks nobody", async () => {
    start({ mqtt_url: "mqtt://127.0.0.1:9" });
    await expect.poll(() => output, ready).toContain("tomekeeper ready mqtt://127.0.0.1:9 tomekeeper/main");
    expect(asked).toEqual([]);
    expect(await ended("SIGTERM")).toBe(0);
  });
});
