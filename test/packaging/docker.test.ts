import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { connectAsync } from "mqtt";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { mosquittoPath, startMosquitto } from "../fixtures/mosquitto.ts";
import { startRunner } from "../fixtures/runner.ts";

const root = path.resolve(import.meta.dirname, "../..");
const read = (name: string): string => readFileSync(path.join(root, name), "utf8");

describe.each(["docker/Dockerfile", "addon/Dockerfile"])("%s", (name) => {
  const instructions = read(name)
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  const of = (keyword: string): readonly string[] =>
    instructions
      .filter((line) => line.startsWith(`${keyword} `))
      .map((line) => line.slice(keyword.length + 1));

  test("is built in stages on the Node that the project is developed on", () => {
    const { devDependencies } = JSON.parse(read("package.json"));
    const bases = of("FROM").map((line) => line.split(" ")[0]);
    expect(bases).toHaveLength(2);
    for (const base of bases) expect(base).toMatch(/^node:\d+\.\d+\.\d+-\w+-slim$/);
    expect(bases[0]).toContain(`node:${String(devDependencies.node).replace("^", "")}-`);
    expect(bases[1]).toBe(bases[0]);
    expect(of("RUN").join(" ")).toMatch(/npm ci .*npm prune --omit=dev/);
  });

  test("has an init, a health check of its own, and leaves no package lists", () => {
    expect(of("ENTRYPOINT").join()).toContain('["tini", "--"');
    expect(of("HEALTHCHECK").join()).toMatch(/CMD \["node", "\/.*health\.mjs"\]/);
    for (const run of of("RUN").filter((line) => line.includes("apt-get install")))
      expect(run).toMatch(/--no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/);
    expect(of("LABEL").length).toBeGreaterThan(0);
    expect(of("CMD").every((line) => line.startsWith("["))).toBe(true);
  });
});

test("the image does not run as root, and keeps its data in a volume", () => {
  const text = read("docker/Dockerfile");
  expect(text).toMatch(/^USER node$/m);
  expect(text).toMatch(/^VOLUME \["\/data"\]$/m);
});

test("the services of the composition are pinned, start again, and have no more rights than they need", () => {
  const { services, secrets, volumes } = parse(read("docker/compose.yaml"));
  for (const service of Object.values<Record<string, unknown>>(services)) {
    expect(service["image"]).toMatch(/:\d+\.\d+\.\d+$/);
    expect(service["restart"]).toBe("unless-stopped");
  }
  const { tomekeeper, mosquitto } = services;
  expect(tomekeeper).toMatchObject({
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    depends_on: { mosquitto: { condition: "service_healthy" } },
  });
  expect(mosquitto.healthcheck.test).toBeDefined();
  for (const secret of tomekeeper.secrets) expect(secrets).toHaveProperty(secret);
  expect(Object.keys(volumes)).toEqual(["mosquitto-data", "tomekeeper-data"]);
});

test.skipIf(mosquittoPath === null)(
  "its ACL lets the runner and the hub do what they must, and nobody speak for the runner (needs mosquitto)",
  async () => {
    const dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-acl-"));
    mkdirSync(path.join(dir, "books"));
    const passwords = { tomekeeper: "t", hub: "h", stranger: "s" };
    const acl = path.join(root, "docker/mosquitto/acl");
    const broker = await startMosquitto({ passwords, extra: [`acl_file ${acl}`] });
    const url = broker.url.replace("//", "//hub:h@");
    const args = [
      "--library",
      path.join(dir, "books"),
      "--data",
      path.join(dir, "data"),
      "--broker",
      broker.url,
    ];
    const runner = await startRunner(args, {
      url,
      env: { TOMEKEEPER_MQTT__USERNAME: "tomekeeper", TOMEKEEPER_MQTT__PASSWORD: "t" },
    });
    const clients = await Promise.all(
      (["hub", "stranger"] as const).map((username) =>
        connectAsync(broker.url, { protocolVersion: 5, username, password: passwords[username] }),
      ),
    );
    try {
      expect((await runner.ask("scan")).at(-1)).toMatchObject({ status: "ok" });
      const [hub, stranger] = clients;
      const heard: string[] = [];
      hub?.on("message", (topic) => heard.push(topic));
      await hub?.subscribeAsync("homeassistant/#", { qos: 1 });
      await expect
        .poll(() => heard.some((topic) => /^homeassistant\/device\/tomekeeper_/.test(topic)))
        .toBe(true);
      const publish = (client: (typeof clients)[number] | undefined, topic: string) =>
        client?.publishAsync(topic, "{}", { qos: 1, retain: true }).catch(({ code }) => code);
      const notAuthorized = 0x87;
      expect(await publish(hub, "tomekeeper/main/scan")).toBe(notAuthorized);
      expect(await publish(hub, "homeassistant/device/x/config")).toBe(notAuthorized);
      expect(await publish(stranger, "tomekeeper/main/cmd/scan")).toBe(notAuthorized);
      const seen: string[] = [];
      stranger?.on("message", (topic) => seen.push(topic));
      await stranger?.subscribeAsync("#", { qos: 1 }).catch(() => {});
      await runner.ask("diagnose");
      expect(seen).toEqual([]);
    } finally {
      await Promise.all(clients.map((client) => client.endAsync(true)));
      await runner.stop();
      await broker.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
