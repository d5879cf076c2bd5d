import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import os from "node:os";
import path from "node:path";
import { connectAsync } from "mqtt";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { Connection } from "../../src/bus/connection.ts";
import { AppError } from "../../src/errors.ts";
import { base, Cleanup, createLog, external, listen, makeBus, nodeId, startBroker } from "./harness.ts";

const cleanup = new Cleanup();
afterEach(() => cleanup.run());

const users = [
  { username: "ada", password: "admin-pass", role: "admin" },
  { username: "carl", password: "control-pass", role: "control" },
  { username: "rita", password: "read-pass", role: "read" },
] as const;

async function client(
  url: string,
  options: Parameters<typeof listen>[1] = {},
  topics: readonly string[] = ["tomekeeper/#"],
) {
  const listener = await listen(url, options, topics);
  cleanup.add(() => listener.close());
  return listener;
}

/** The runner's own connection, as the bus has it. */
async function runner(open: Awaited<ReturnType<typeof startBroker>>["open"]) {
  const heard: string[] = [];
  const connection = new Connection({
    transport: { kind: "stream", open },
    version: 4,
    clientId: `tomekeeper_${nodeId}`,
    will: { topic: `${base}/availability`, payload: "offline" },
    onMessage: ({ topic, payload }) => heard.push(`${topic} ${payload}`),
  });
  await connection.opened;
  cleanup.add(() => connection.end(500));
  await connection.subscribe([`${base}/cmd/+`]);
  return { connection, heard };
}

function closing({ client }: Awaited<ReturnType<typeof listen>>): Promise<void> {
  return new Promise((resolve) => client.once("close", () => resolve()));
}

/** Until everything that the client has sent before is through the broker. */
async function settled({ client }: Awaited<ReturnType<typeof listen>>): Promise<void> {
  await client.publishAsync(`${base}/cmd/fence`, "{}", { qos: 1 });
  await new Promise((resolve) => setTimeout(resolve, 50));
}

test("listens on a free loopback port and says which", async () => {
  const broker = await startBroker(cleanup);
  expect(broker.port).toBeGreaterThan(0);
  expect(broker.url).toBe(`mqtt://127.0.0.1:${broker.port}`);
});

test("a taken port is one clear error", async () => {
  const { port } = await startBroker(cleanup);
  await expect(startBroker(cleanup, { port })).rejects.toThrow(
    new RegExp(`cannot listen on 127.0.0.1:${port}.*mqtt.embedded.port`),
  );
});

test("a listener that others can reach needs users, and TLS or the word that plain text is meant", async () => {
  const refusal = async (changes: Parameters<typeof startBroker>[1]) => {
    const error: unknown = await startBroker(cleanup, changes).then(
      () => null,
      (thrown) => thrown,
    );
    return error instanceof AppError ? `${error.code}: ${error.message}` : error;
  };
  expect(await refusal({ host: "0.0.0.0" })).toMatch(/^config_invalid: .*mqtt.embedded.users/);
  expect(await refusal({ host: "::", allowPlaintext: true })).toMatch(
    /^config_invalid: .*mqtt.embedded.users/,
  );
  expect(await refusal({ host: "0.0.0.0", users })).toMatch(/^config_invalid: .*allow_plaintext/);
  expect(await refusal({ host: "127.0.0.1.example.org", users })).toMatch(/^config_invalid: /);
  const broker = await startBroker(cleanup, { host: "0.0.0.0", users, allowPlaintext: true });
  expect(broker.url).toBe(`mqtt://127.0.0.1:${broker.port}`);
});

test("without users whoever is on this machine may command and read", async () => {
  const broker = await startBroker(cleanup);
  const { connection, heard } = await runner(broker.open);
  const anybody = await client(broker.url);
  await anybody.command("scan", "{}");
  connection.send({ topic: `${base}/scan`, payload: "state", qos: 1, retain: true }, () => {});
  await anybody.heard(`${base}/scan`, (messages) => messages.length === 1);
  expect(heard).toEqual([`${base}/cmd/scan {}`]);
});

test("with users nobody comes in without the right password", async () => {
  const broker = await startBroker(cleanup, { users });
  const attempts = [
    {},
    { username: "carl" },
    { username: "carl", password: "admin-pass" },
    { username: "eve", password: "" },
  ];
  const refusals = await Promise.all(
    attempts.map((options) =>
      connectAsync(broker.url, { ...options, protocolVersion: 4, reconnectPeriod: 0 }).then(
        () => "in",
        (error) => error.message,
      ),
    ),
  );
  expect(refusals).toEqual(Array(4).fill("Connection refused: Not authorized"));
  await client(broker.url, { username: "carl", password: "control-pass" });
});

test("nobody takes the place of the runner by its client id", async () => {
  const broker = await startBroker(cleanup);
  const { connection } = await runner(broker.open);
  await expect(
    connectAsync(broker.url, { protocolVersion: 4, reconnectPeriod: 0, clientId: `tomekeeper_${nodeId}` }),
  ).rejects.toThrow("Not authorized");
  const state = await Promise.race([connection.closed.then(() => "ended"), Promise.resolve("up")]);
  expect(state).toBe("up");
});

describe("rights", () => {
  /** What of these the runner, who hears everything as an admin would, gets to hear from this user. */
  async function published(
    username: "ada" | "carl" | "rita",
    topics: readonly string[],
  ): Promise<readonly string[]> {
    const broker = await startBroker(cleanup, { users });
    const { connection, heard } = await runner(broker.open);
    await connection.subscribe(["#"]);
    const user = users.find((known) => known.username === username);
    const options = { username, password: user?.password ?? "" };
    const sender = await client(broker.url, options, []);
    let closed = false;
    sender.client.on("close", () => {
      closed = true;
    });
    for (const topic of topics) await sender.client.publishAsync(topic, "x", { qos: 1 });
    await settled(sender);
    expect(closed).toBe(false);
    return [...new Set(heard.map((text) => text.split(" ")[0] ?? ""))].filter((topic) =>
      topics.includes(topic),
    );
  }

  const topics = [
    `${base}/cmd/scan`,
    `${base}/cmd/a/b`,
    `${base}/cmd/`,
    "tomekeeper/other/cmd/scan",
    `${base}/availability`,
    `${base}/scan`,
    `${base}/response/scan`,
    "homeassistant/status",
    "homeassistant/device/x/config",
    "elsewhere",
    "$SYS/x",
  ];

  test("control may publish commands of this node and a hub's birth message, and stays connected otherwise", async () => {
    expect(await published("carl", topics)).toEqual([`${base}/cmd/scan`, "homeassistant/status"]);
  });

  test("read may publish nothing", async () => {
    expect(await published("rita", topics)).toEqual([]);
  });

  test("admin may publish anything but the broker's own topics", async () => {
    expect(await published("ada", topics)).toEqual(topics.filter((topic) => topic !== "$SYS/x"));
  });

  test("a denied publish is acknowledged, dropped with QoS 0, 1 and 2, and said in the log", async () => {
    const log = createLog();
    const broker = await startBroker(cleanup, { log });
    const { connection } = await runner(broker.open);
    connection.send({ topic: `${base}/scan`, payload: "true", qos: 1, retain: true }, () => {});
    const anybody = await client(broker.url);
    for (const qos of [0, 1, 2] as const) {
      await anybody.client.publishAsync(`${base}/scan`, "forged", { qos, retain: true });
    }
    await settled(anybody);
    const late = await client(broker.url);
    const [retained] = await late.heard(`${base}/scan`, (messages) => messages.length > 0);
    expect(retained?.text).toBe("true");
    expect(anybody.messages.filter(({ text }) => text === "forged")).toEqual([]);
    expect(log.lines.filter((line) => line.includes("it has no right to"))).toHaveLength(3);
  });

  test.each([
    ["carl", ["tomekeeper/#", "tomekeeper/main/scan", "tomekeeper/+/scan", "homeassistant/#"], 1],
    ["carl", ["#", "+/main/scan", "$SYS/#", "elsewhere", "tomekeeperx/#", "+", "$share/g/tomekeeper/#"], 128],
    ["rita", ["tomekeeper/#", "homeassistant/#"], 1],
    ["rita", ["#"], 128],
    ["ada", ["#", "elsewhere"], 1],
    ["ada", ["$SYS/#", "$dropped"], 128],
  ] as const)("%s subscribing to %j is answered with %i", async (username, filters, answer) => {
    const broker = await startBroker(cleanup, { users });
    const password = users.find((known) => known.username === username)?.password ?? "";
    const { client: reader } = await client(broker.url, { username, password }, []);
    for (const filter of filters) {
      const granted = await reader.subscribeAsync(filter, { qos: 1 }).then(
        (grants) => grants[0]?.qos,
        (error) => error.packet?.granted?.[0],
      );
      expect(`${filter} ${granted}`).toBe(`${filter} ${answer}`);
    }
    expect(reader.connected).toBe(true);
  });

  test("a will is published only where its owner may publish", async () => {
    const broker = await startBroker(cleanup);
    const { connection, heard } = await runner(broker.open);
    await connection.subscribe(["#"]);
    for (const topic of [`${base}/availability`, `${base}/cmd/diagnose`]) {
      const dying = await connectAsync(broker.url, {
        protocolVersion: 4,
        reconnectPeriod: 0,
        will: { topic, payload: Buffer.from("{}"), qos: 1, retain: false },
      });
      dying.on("error", () => {});
      dying.stream.destroy();
    }
    const witness = await client(broker.url);
    await witness
      .heard(
        `${base}/cmd/diagnose`,
        (messages) => messages.length > 0 || heard.includes(`${base}/cmd/diagnose {}`),
      )
      .catch(() => {});
    await settled(witness);
    expect(heard).toContain(`${base}/cmd/diagnose {}`);
    expect(heard).not.toContain(`${base}/availability {}`);
  });
});

test("a retained command is neither kept nor delivered, and an empty one passes", async () => {
  const log = createLog();
  const broker = await startBroker(cleanup, { log });
  const { heard } = await runner(broker.open);
  const anybody = await client(broker.url);
  await anybody.command("scan", "{}", { retain: true });
  await anybody.command("scan", "", { retain: true });
  await anybody.command("query", "{}");
  await settled(anybody);
  expect(heard).toEqual([`${base}/cmd/scan `, `${base}/cmd/query {}`, `${base}/cmd/fence {}`]);
  const late = await client(broker.url);
  await settled(late);
  expect(late.messages.filter(({ retain }) => retain)).toEqual([]);
  expect(log.lines).toEqual([expect.stringContaining("a retained command is never executed")]);
});

test("a packet of more than 1 MiB ends its connection, and nobody else's", async () => {
  const log = createLog();
  const broker = await startBroker(cleanup, { log });
  const other = await client(broker.url);
  const big = await client(broker.url, {}, []);
  const closed = closing(big);
  big.client.publish(`${base}/cmd/scan`, Buffer.alloc(1_048_577), { qos: 0 });
  await closed;
  expect(log.lines).toContainEqual(expect.stringContaining("more than 1048576 bytes"));
  await other.command("query", "{}");
  expect(other.client.connected).toBe(true);
});

test("a packet of 300 KB passes, so that the runner can refuse it in words", async () => {
  const broker = await startBroker(cleanup);
  const { heard } = await runner(broker.open);
  const anybody = await client(broker.url);
  await anybody.command("scan", Buffer.alloc(300_000, 0x20));
  await settled(anybody);
  expect(heard[0]?.length).toBeGreaterThan(300_000);
});

test("bytes that are no MQTT end their connection only", async () => {
  const broker = await startBroker(cleanup);
  const other = await client(broker.url);
  for (const bytes of ["GET / HTTP/1.1\r\n\r\n", "\u0000\u0000\u0000", "\u00ff".repeat(100)]) {
    const socket = connect(broker.port, "127.0.0.1");
    socket.on("error", () => {});
    await once(socket, "connect");
    socket.write(Buffer.from(bytes, "latin1"));
    await once(socket, "close");
  }
  await other.command("query", "{}");
});

test("an MQTT 5 client is told that only 3.1.1 is spoken", async () => {
  const broker = await startBroker(cleanup);
  await expect(connectAsync(broker.url, { protocolVersion: 5, reconnectPeriod: 0 })).rejects.toThrow(
    /Unacceptable protocol version/,
  );
});

test("a reader that stops reading is cut off, and the others get everything meanwhile", async () => {
  const broker = await startBroker(cleanup);
  const { connection } = await runner(broker.open);
  const frozen = connect(broker.port, "127.0.0.1");
  frozen.on("error", () => {});
  await once(frozen, "connect");
  // CONNECT as "frozen", then SUBSCRIBE to tomekeeper/# with QoS 1.
  frozen.write(Buffer.from("\x10\x12\x00\x04MQTT\x04\x02\x00\x00\x00\x06frozen", "latin1"));
  frozen.write(Buffer.from("\x82\x11\x00\x01\x00\x0ctomekeeper/#\x01", "latin1"));
  await once(frozen, "data");
  frozen.pause();
  const reader = await client(broker.url);
  const payload = "x".repeat(50_000);
  let acknowledged = 0;
  for (let i = 0; i < 300; i++) {
    connection.send({ topic: `${base}/event`, payload, qos: 1, retain: false }, () => acknowledged++);
  }
  await reader.heard(`${base}/event`, (messages) => messages.length === 300);
  expect(acknowledged).toBe(300);
});

test("a session is not kept: what was missed is not delivered later", async () => {
  const broker = await startBroker(cleanup);
  const { connection } = await runner(broker.open);
  const options = { clientId: "panel", clean: false };
  const first = await listen(broker.url, options);
  await first.close();
  connection.send({ topic: `${base}/event`, payload: "missed", qos: 1, retain: false }, () => {});
  const second = await client(broker.url, options, []);
  await settled(second);
  expect(second.messages).toEqual([]);
});

test("closing ends the connections and frees the port", async () => {
  const broker = await startBroker(cleanup);
  const anybody = await listen(broker.url);
  const closed = closing(anybody);
  await broker.close();
  await closed;
  const again = await startBroker(cleanup, { port: broker.port });
  expect(again.port).toBe(broker.port);
});

test("what the runner was acknowledged last reaches whoever listens before closing ends them", async () => {
  const broker = await startBroker(cleanup);
  const listeners = await Promise.all(Array.from({ length: 20 }, () => client(broker.url)));
  const ended = listeners.map(closing);
  const { connection } = await runner(broker.open);
  const message = { topic: `${base}/availability`, payload: "offline", qos: 1, retain: true } as const;
  await new Promise((resolve) => connection.send(message, resolve));
  await connection.end(500);
  await broker.close();
  await Promise.all(ended);
  expect(listeners.map(({ messages }) => messages.map(({ text }) => text))).toEqual(
    listeners.map(() => ["offline"]),
  );
});

describe("with TLS", () => {
  const openssl = "openssl";
  const hasOpenssl = spawnSync(openssl, ["version"]).status === 0;

  test.skipIf(!hasOpenssl)(`serves TLS with the files given (needs openssl)`, async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-tls-"));
    cleanup.add(() => rmSync(dir, { recursive: true }));
    const tls = { cert: path.join(dir, "cert.pem"), key: path.join(dir, "key.pem") };
    execFileSync(
      openssl,
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        tls.key,
        "-out",
        tls.cert,
      ],
      { stdio: "ignore" },
    );
    const broker = await startBroker(cleanup, {
      host: "0.0.0.0",
      users,
      tls,
      runnerClientId: "somebody-else",
    });
    expect(broker.url).toBe(`mqtts://127.0.0.1:${broker.port}`);
    const { heard } = await runner(broker.open);
    const secure = await client(broker.url, {
      username: "carl",
      password: "control-pass",
      rejectUnauthorized: false,
    });
    await secure.command("scan", "{}");
    await settled(secure);
    expect(heard[0]).toBe(`${base}/cmd/scan {}`);
    const ca = readFileSync(tls.cert, "utf8");
    const credentials = { username: "carl", password: "control-pass" };
    const trusting = makeBus(cleanup, { transport: { ...external(broker.url, credentials), ca } });
    await trusting.start();
    expect(trusting.status().connected).toBe(true);
    const plain = new Connection({
      transport: external(`mqtt://127.0.0.1:${broker.port}`),
      version: 4,
      clientId: "plain",
      will: { topic: `${base}/x`, payload: "x" },
      onMessage: () => {},
    });
    await expect(plain.opened).rejects.toThrow("closed the connection");
  });

  test("files that are missing or no certificate are one clear error each", async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-tls-"));
    cleanup.add(() => rmSync(dir, { recursive: true }));
    const file = path.join(dir, "cert.pem");
    await expect(startBroker(cleanup, { tls: { cert: file, key: file } })).rejects.toThrow(
      /mqtt.embedded.tls.cert cannot be read/,
    );
    writeFileSync(file, "not a certificate");
    await expect(startBroker(cleanup, { tls: { cert: file, key: file } })).rejects.toThrow(
      /no certificate and its key/,
    );
  });
});

describe("over WebSocket", () => {
  const page = (port: number | null, options: Parameters<typeof connectAsync>[1] = {}) =>
    connectAsync(`ws://127.0.0.1:${port}`, { protocolVersion: 4, reconnectPeriod: 0, ...options });

  test("a page hears the same, with the same rights", async () => {
    const broker = await startBroker(cleanup, { wsPort: 0, users });
    const own = await runner(broker.open);
    const client = await page(broker.wsPort, { username: "carl", password: "control-pass" });
    cleanup.add(() => client.endAsync(true));
    const heard: string[] = [];
    client.on("message", (topic, payload) => heard.push(`${topic} ${payload}`));
    await client.subscribeAsync("tomekeeper/#", { qos: 1 });
    own.connection.send({ topic: `${base}/scan`, payload: "state", qos: 1, retain: true }, () => {});
    await expect.poll(() => heard).toEqual([`${base}/scan state`]);
    await client.publishAsync(`${base}/scan`, "mine", { qos: 1 });
    await client.publishAsync(`${base}/cmd/scan`, "{}", { qos: 1 });
    await expect.poll(() => own.heard).toEqual([`${base}/cmd/scan {}`]);
    expect(heard).not.toContain(`${base}/scan mine`);
    await expect(page(broker.wsPort)).rejects.toThrow();
    await expect(page(broker.wsPort, { username: "carl", password: "wrong" })).rejects.toThrow();
  });

  test("a page from elsewhere is not let in where nobody has a password, and programs are", async () => {
    const broker = await startBroker(cleanup, { wsPort: 0 });
    const from = (origin?: string) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(
          `ws://127.0.0.1:${broker.wsPort}`,
          "mqtt",
          origin === undefined ? {} : { origin },
        );
        socket.on("open", () => resolve("open"));
        socket.on("error", ({ message }) => resolve(message));
        cleanup.add(async () => socket.terminate());
      });
    expect(await from("https://evil.example")).toMatch(/401/);
    expect(await from("null")).toMatch(/401/);
    expect(await from(`http://127.0.0.1:${broker.wsPort}`)).toBe("open");
    expect(await from()).toBe("open");
    const guarded = await startBroker(cleanup, { wsPort: 0, users });
    await expect(page(guarded.wsPort)).rejects.toThrow();
  });

  test("a packet that is too large ends the connection, and a page itself is not served", async () => {
    const broker = await startBroker(cleanup, { wsPort: 0 });
    const client = await page(broker.wsPort);
    cleanup.add(() => client.endAsync(true));
    const closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.publish(`${base}/cmd/scan`, Buffer.alloc(2 * 1_048_576));
    await closed;
    expect((await fetch(`http://127.0.0.1:${broker.wsPort}/`)).status).toBe(426);
  });

  test("a port that is taken is named", async () => {
    const broker = await startBroker(cleanup, { wsPort: 0 });
    await expect(startBroker(cleanup, { wsPort: broker.wsPort })).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/ws_port/),
    });
  });
});

test("a thousand connections are refused beyond a hundred, and the runner does not notice", async () => {
  const broker = await startBroker(cleanup);
  const own = await runner(broker.open);
  const sockets = Array.from({ length: 1000 }, () => connect(broker.port, "127.0.0.1"));
  cleanup.add(async () => {
    for (const socket of sockets) socket.destroy();
  });
  for (const socket of sockets) socket.on("error", () => {});
  const open = () => sockets.filter((socket) => !socket.destroyed && socket.readyState === "open").length;
  await expect.poll(() => sockets.some(({ connecting }) => connecting), { timeout: 10_000 }).toBe(false);
  await expect.poll(open, { timeout: 10_000 }).toBeLessThanOrEqual(100);
  const acknowledged = new Promise<string | null>((resolve) =>
    own.connection.send({ topic: `${base}/scan`, payload: "state", qos: 1, retain: true }, resolve),
  );
  expect(await acknowledged).toBeNull();
  for (const socket of sockets) socket.destroy();
  // Those who come afterwards are let in again.
  await expect
    .poll(async () => (await client(broker.url).catch(() => null)) !== null, { timeout: 10_000 })
    .toBe(true);
});
