import { execFile, execFileSync, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { connectAsync, type MqttClient } from "mqtt";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type Mosquitto, mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";
import { startRefusingProxy } from "../fixtures/refusing-proxy.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";

/* A hub beside the runner, with Debian's Mosquitto between them. */

const main = path.resolve(import.meta.dirname, "../../src/main.ts");
const base = "tomekeeper/main";
const states = [
  "info",
  "scan",
  "organize",
  "queue",
  "library",
  "diagnostics",
  "settings",
  "memory",
  "health",
];

let dir: string;
let broker: Mosquitto;
let runner: RunningRunner;
/** Of the hub: everything that it hears, oldest first. */
let hub: MqttClient;
let heard: { readonly topic: string; readonly payload: string; readonly retain: boolean }[];

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-hub-"));
  mkdirSync(path.join(dir, "books"));
});
afterEach(async () => {
  await hub.endAsync(true);
  await runner.kill();
  await broker.stop();
  rmSync(dir, { recursive: true });
});

async function listen(
  options: { readonly username?: string; readonly password?: string } = {},
): Promise<void> {
  heard = [];
  hub = await connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 100, ...options });
  hub.on("message", (topic, payload, { retain }) =>
    heard.push({ topic, payload: payload.toString(), retain }),
  );
  await hub.subscribeAsync(["homeassistant/#", "tomekeeper/#", "other/#"], { qos: 1 });
}

function start(env: Readonly<Record<string, string>> = {}): Promise<RunningRunner> {
  const args = [
    "--library",
    path.join(dir, "books"),
    "--data",
    path.join(dir, "data"),
    "--broker",
    broker.url,
  ];
  return startRunner(args, {
    url: broker.url.replace("127.0.0.1", "localhost"),
    env: { TOMEKEEPER_SCAN__ON_STARTUP: "false", ...env },
  });
}

async function nodeId(): Promise<string> {
  return (await runner.state<{ readonly node_id: string }>("info")).node_id;
}

const last = (topic: string): string | undefined =>
  heard.findLast((message) => message.topic === topic)?.payload;
const count = (topic: string): number => heard.filter((message) => message.topic === topic).length;
const within = { timeout: 5_000 };

/** All that is to be known of the runner, by somebody who comes now: as `mosquitto_sub` records it. */
async function retained(
  url: string = broker.url,
  { username, password }: { readonly username?: string; readonly password?: string } = {},
): Promise<ReadonlyMap<string, string>> {
  const { hostname, port } = new URL(url);
  const login = username === undefined || password === undefined ? [] : ["-u", username, "-P", password];
  const topics = ["-t", "homeassistant/#", "-t", "tomekeeper/#"];
  const { stdout } = await promisify(execFile)(
    "mosquitto_sub",
    ["-h", hostname, "-p", port, ...login, ...topics, "--retained-only", "-W", "1", "-F", "%t\t%p"],
    { maxBuffer: 16 * 1_048_576 },
  ).catch((error: { readonly code?: unknown; readonly stdout?: string }) => {
    // 27: the second is over, which is how it ends.
    if (error.code === 27 && error.stdout !== undefined) return { stdout: error.stdout };
    throw error;
  });
  const lines = stdout.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => line.split("\t", 2) as [string, string]));
}

describe.skipIf(mosquittoPath === null)("beside a hub (needs mosquitto)", () => {
  test("is announced before it is online, and again with all its state when the hub comes up", async () => {
    broker = await startMosquitto();
    await listen();
    runner = await start();
    const discovery = `homeassistant/device/tomekeeper_${await nodeId()}/config`;
    const order = [discovery, `${base}/availability`, `${base}/info`].map((topic) =>
      heard.findIndex((message) => message.topic === topic),
    );
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order[0]).toBeGreaterThanOrEqual(0);
    const payload = last(discovery);

    await expect.poll(() => count(`${base}/health`), within).toBe(1);
    heard = [];
    await hub.publishAsync("homeassistant/status", "offline");
    await hub.publishAsync("homeassistant/status", "online");
    await expect.poll(() => states.filter((topic) => count(`${base}/${topic}`) === 0), within).toEqual([]);
    expect(count(discovery)).toBe(1);
    expect(last(discovery)).toBe(payload);
    expect(last(`${base}/availability`)).toBe("online");
    const topics = heard.map(({ topic }) => topic);
    expect(topics.indexOf(discovery)).toBeLessThan(topics.indexOf(`${base}/availability`));
    expect(topics.indexOf(`${base}/availability`)).toBeLessThan(topics.indexOf(`${base}/info`));
  });

  test("is offline when it dies, and all there within seconds after a broker that has forgotten everything", async () => {
    broker = await startMosquitto();
    await listen();
    runner = await start();
    const discovery = `homeassistant/device/tomekeeper_${await nodeId()}/config`;
    const payload = last(discovery);
    await broker.stop();
    await broker.start();
    heard = [];
    await expect.poll(() => last(`${base}/availability`), within).toBe("online");
    await expect
      .poll(
        async () => [...(await retained()).keys()].filter((each) => !each.includes("/breaker/")).sort(),
        within,
      )
      .toEqual([discovery, ...["availability", ...states].map((topic) => `${base}/${topic}`)].sort());
    expect((await retained()).get(discovery)).toBe(payload);
    await runner.kill();
    await expect.poll(() => last(`${base}/availability`), within).toBe("offline");
    runner = await start();
    await expect.poll(() => last(`${base}/availability`), within).toBe("online");
    expect(last(discovery)).toBe(payload);
    await runner.stop();
    await expect.poll(() => last(`${base}/availability`), within).toBe("offline");
  });

  test("hands its entities over when the way of announcing changes, and takes them away when it is switched off", async () => {
    broker = await startMosquitto();
    await listen();
    const mode = (discovery: string) => ({
      TOMEKEEPER_PLUGINS: JSON.stringify({ "home-assistant": { discovery } }),
    });
    runner = await start();
    const device = `homeassistant/device/tomekeeper_${await nodeId()}/config`;
    await runner.stop();
    heard = [];
    runner = await start(mode("components"));
    expect(heard.filter(({ topic }) => topic === device).map(({ payload }) => payload)).toEqual([
      '{"migrate_discovery":true}',
      "",
    ]);
    const books = `homeassistant/sensor/tomekeeper_${await nodeId()}/books/config`;
    expect(last(books)).toMatch(/"unique_id"/);
    await runner.stop();
    runner = await start(mode("device"));
    await expect.poll(() => last(books)).toBe("");
    expect(last(device)).toMatch(/"components"/);
    await runner.stop();
    const off = JSON.stringify({ "home-assistant": { enabled: false } });
    runner = await start({ TOMEKEEPER_PLUGINS: off });
    await expect.poll(() => last(device)).toBe("");
    expect(await runner.state<{ plugins: object[] }>("info")).toMatchObject({
      plugins: expect.not.arrayContaining([expect.objectContaining({ name: "home-assistant" })]),
    });
    expect([...(await retained()).keys()].filter((topic) => topic.startsWith("homeassistant/"))).toEqual([]);
  });

  test("is purged of all that it has left, and of nothing of others", async () => {
    const passwords = { tomekeeper: "secret", hub: "hub" };
    broker = await startMosquitto({ passwords });
    await listen({ username: "hub", password: "hub" });
    const login = { TOMEKEEPER_MQTT__USERNAME: "tomekeeper", TOMEKEEPER_MQTT__PASSWORD: "secret" };
    const url = broker.url.replace("//", "//hub:hub@");
    const others = [
      "homeassistant/device/tomekeeper_0/config",
      "homeassistant/sensor/other/books/config",
      "tomekeeper/other/info",
      "tomekeeper/mainly/info",
      "other/tomekeeper/main",
    ];
    for (const topic of others) await hub.publishAsync(topic, "theirs", { qos: 1, retain: true });
    const args = [
      "--library",
      path.join(dir, "books"),
      "--data",
      path.join(dir, "data"),
      "--broker",
      broker.url,
    ];
    runner = await startRunner(args, { url, env: login });
    const discovery = `homeassistant/device/tomekeeper_${await nodeId()}/config`;
    await expect.poll(() => last(discovery), within).toMatch(/components/);
    await hub.publishAsync(`${base}/cmd/scan`, "{}", { qos: 1, retain: true });

    const purge = (...more: string[]) =>
      promisify(execFile)(
        process.execPath,
        [main, "mqtt", "purge", "--broker", broker.url, "--node", "main", "--json", ...more],
        { env: { ...process.env, ...login }, cwd: dir },
      );
    await expect(purge("--data", path.join(dir, "data"))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is online .* stop it first/),
    });
    await runner.stop();
    mkdirSync(path.join(dir, "elsewhere"));
    writeFileSync(path.join(dir, "elsewhere/node-id"), "00000000-0000-4000-8000-000000000000\n");
    await expect(purge("--data", path.join(dir, "elsewhere"))).rejects.toMatchObject({
      stderr: expect.stringMatching(/data folder of another runner/),
    });
    const { stdout } = await purge("--data", path.join(dir, "data"));
    const { removed } = JSON.parse(stdout);
    expect(removed).toEqual(expect.arrayContaining([discovery, `${base}/availability`, `${base}/cmd/scan`]));
    expect(others.some((topic) => removed.includes(topic))).toBe(false);
    expect(JSON.parse((await purge("--data", path.join(dir, "data"))).stdout)).toEqual({ removed: [] });
    heard = [];
    await hub.unsubscribeAsync("#");
    await hub.subscribeAsync(["homeassistant/+/#", "tomekeeper/+/#", "other/+/#"], { qos: 1 });
    await expect.poll(() => new Set(heard.map(({ topic }) => topic)).size).toBe(others.length);
  });
});

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0;

/** A certificate for localhost, that Mosquitto may read after it has given up root. */
function makeCertificate(): { readonly cert: string; readonly key: string } {
  const [cert, key] = [path.join(dir, "cert.pem"), path.join(dir, "key.pem")];
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  execFileSync("openssl", ["req", ...kind, ...name, "-keyout", key, "-out", cert], { stdio: "ignore" });
  for (const [file, mode] of [
    [dir, 0o755],
    [cert, 0o644],
    [key, 0o644],
  ] as const)
    chmodSync(file, mode);
  return { cert, key };
}

describe.skipIf(mosquittoPath === null)("over every way to a broker (needs mosquitto)", () => {
  const ways = [
    "MQTT 5 with a password",
    "MQTT 5 with a password over TLS",
    "MQTT 3.1.1 with a password",
    "MQTT 3.1.1 at its own broker",
  ];

  for (const way of ways)
    test.skipIf(way.includes("TLS") && !hasOpenssl)(
      `all is there after a start, a death, a stop, a restart of the broker and a hub's birth: ${way}`,
      () => liveThrough(way),
    );

  async function liveThrough(way: string): Promise<void> {
    const isOwn = way.includes("own broker");
    broker = await startMosquitto({ passwords: { tomekeeper: "secret", hub: "hub" } });
    const hubLogin = { username: "hub", password: "hub" };
    const env: Record<string, string> = {
      TOMEKEEPER_SCAN__ON_STARTUP: "false",
      TOMEKEEPER_MQTT__USERNAME: "tomekeeper",
      TOMEKEEPER_MQTT__PASSWORD: "secret",
    };
    let url = broker.url;
    let extra: string[] = [];
    if (way.includes("TLS")) {
      const { cert, key } = makeCertificate();
      const port = broker.port + 1;
      extra = [`listener ${port} 127.0.0.1`, `certfile ${cert}`, `keyfile ${key}`];
      await broker.stop();
      await broker.start({ passwords: { tomekeeper: "secret", hub: "hub" }, extra });
      url = `mqtts://localhost:${port}`;
      env["TOMEKEEPER_MQTT__CA"] = cert;
    }
    const proxy = way === "MQTT 3.1.1 with a password" ? await startRefusingProxy(broker.port) : null;
    onTestFinished(() => proxy?.stop());
    url = proxy?.url ?? url;
    const args = ["--library", path.join(dir, "books"), "--data", path.join(dir, "data")];
    const own = ["--mqtt-port", "0"];
    const begin = async (): Promise<void> => {
      runner = isOwn
        ? await startRunner([...args, ...own], { env: { TOMEKEEPER_SCAN__ON_STARTUP: "false" } })
        : await startRunner([...args, "--broker", url], {
            url: broker.url.replace("//", "//hub:hub@"),
            env,
          });
    };
    await begin();
    const at = isOwn ? runner.url : broker.url;
    const login = isOwn ? {} : hubLogin;
    const discovery = `homeassistant/device/tomekeeper_${await nodeId()}/config`;
    const all = [discovery, ...["availability", ...states].map((topic) => `${base}/${topic}`)].sort();
    const there = async () =>
      [...(await retained(at, login)).keys()].filter((topic) => !topic.includes("/breaker/")).sort();
    await expect.poll(there, within).toEqual(all);
    expect(runner.stderr()).toContain(way.includes("MQTT 5") ? "with MQTT 5" : "with MQTT 3.1.1");
    expect(proxy?.refused() ?? 1).toBeGreaterThan(0);

    heard = [];
    hub = await connectAsync(at, { protocolVersion: 4, reconnectPeriod: 100, ...login });
    hub.on("message", (topic, payload, { retain }) =>
      heard.push({ topic, payload: payload.toString(), retain }),
    );
    await hub.subscribeAsync(["homeassistant/#", "tomekeeper/#"], { qos: 1 });
    await expect.poll(() => count(discovery), within).toBe(1);
    // Whoever may write to the broker can wipe it. At the runner's own nobody can.
    for (const topic of all) await hub.publishAsync(topic, "", { qos: 1, retain: true });
    expect(await there()).toEqual(isOwn ? all : []);
    heard = [];
    await hub.publishAsync("homeassistant/status", "online");
    if (!isOwn) await expect.poll(there, within).toEqual(all);
    const again = () => all.filter((topic) => count(topic) === 0);
    await expect.poll(again, within).toEqual([]);
    if (!isOwn) {
      await broker.stop();
      await broker.start({ passwords: { tomekeeper: "secret", hub: "hub" }, extra });
      await expect.poll(() => last(`${base}/availability`), within).toBe("online");
      await expect.poll(there, within).toEqual(all);
      heard = [];
      await runner.kill();
      await expect.poll(() => last(`${base}/availability`), within).toBe("offline");
      await begin();
      await expect.poll(() => last(`${base}/availability`), within).toBe("online");
    }
    await runner.stop();
    await expect.poll(() => last(`${base}/availability`), within).toBe("offline");
  }
});

test("a plugin of somebody else's is loaded by its path, and ends alone when it fails", async () => {
  broker = await startMosquitto();
  await listen();
  const plugin = (name: string, body: string) =>
    writeFileSync(
      path.join(dir, `${name}.mjs`),
      `export default { kind: "hub", name: "${name}", isOnByDefault: false,
        access: () => ({ publish: [], read: [] }), owns: () => [], start: (context) => { ${body} } };`,
    );
  plugin(
    "good",
    `let last = null;
     context.onState("library", (body) => { last = body; context.mqtt.publish({ topic: "other/books", payload: String(body.books) }); });
     context.onEvent((event) => context.mqtt.publish({ topic: "other/event", payload: event.event_type }));
     context.mqtt.listen("other/ask", async () => {
       const { data } = await context.command("query", { limit: 1 });
       const wrong = await context.command("query", { limit: 0 }).catch(({ code }) => code);
       context.mqtt.publish({ topic: "other/answer", payload: data.total + " " + wrong + " " + context.settings.word });
     });
     return () => {};`,
  );
  plugin(
    "late",
    `context.onState("library", async () => { throw new Error("it fails later"); }); return () => {};`,
  );
  plugin("stuck", `return new Promise(() => {});`);
  plugin("bad", `context.onState("library", () => { throw new Error("it has a fault"); }); return () => {};`);
  const section = (name: string) => ({ module: path.join(dir, `${name}.mjs`), word: "hello" });
  runner = await start({
    TOMEKEEPER_PLUGINS: JSON.stringify({
      good: section("good"),
      bad: section("bad"),
      late: section("late"),
      stuck: section("stuck"),
    }),
  });
  await expect.poll(() => last("other/books"), within).toBe("0");
  const info = await runner.state<{ plugins: object[] }>("info");
  expect(info.plugins).toEqual(
    expect.arrayContaining([
      { name: "good", state: "running", error: null },
      { name: "home-assistant", state: "running", error: null },
      { name: "bad", state: "failed", error: "it has a fault" },
      { name: "late", state: "failed", error: "it fails later" },
      { name: "stuck", state: "failed", error: "it did not start within 5 s" },
    ]),
  );
  await hub.publishAsync("other/ask", "");
  await expect.poll(() => last("other/answer"), within).toBe("0 invalid_payload hello");
  await runner.ask("scan");
  await expect.poll(() => heard.some(({ payload }) => payload === "scan_finished"), within).toBe(true);
});
