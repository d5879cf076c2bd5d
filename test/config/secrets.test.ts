import { afterEach, beforeEach, expect, test } from "vitest";
import { printConfig, redactConfig } from "../../src/config/show.ts";
import { makePlace, type Place } from "./place.ts";

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place.remove());

test("reads secrets from files, without the newline at their end", () => {
  place.write("secrets/mqtt", "canary one\n");
  place.write("secrets/user", "two\r\n");
  place.write("secrets/token", "three");
  place.write("secrets/key", "four\n");
  place.write(
    "tomekeeper.yaml",
    [
      "mqtt:",
      "  username: me",
      "  password_file: secrets/mqtt",
      "  embedded: {users: [{username: u, password_file: secrets/user}]}",
      "sources: {audible: {token_file: secrets/token}}",
      "plugins: {ai: {api_key_file: secrets/key}}",
    ].join("\n"),
  );
  const { config } = place.load();
  expect(config.mqtt.password).toBe("canary one");
  expect(config.mqtt.embedded.users[0]?.password).toBe("two");
  expect(config.sources["audible"]?.token).toBe("three");
  expect(config.plugins["ai"]?.["api_key"]).toBe("four");
});

test.each([
  "mqtt:\n  password: *canary\n",
  "mqtt:\n  password: |canary\n   x\n",
  "mqtt:\n  password: >\tcanary\n",
  "mqtt:\n  password: @canary\n",
  'mqtt:\n  password: "a"canary\n',
  "mqtt: {password: canary: b}\n",
  'mqtt:\n  embedded: {users: "u:canary"}\n',
  "mqtt:\n  embedded: {users: [canary]}\n",
  "mqtt:\n  password: [canary]\n",
  "mqtt: canary\n",
  "sources: {audible: canary}\n",
])("shows no part of a secret that is written wrongly: %j", (text) => {
  place.write("tomekeeper.yaml", text);
  let problem = "";
  try {
    place.load();
  } catch (error) {
    problem = String(error);
  }
  expect(problem).toContain("tomekeeper.yaml");
  expect(problem).not.toContain("canary");
});

test("reads a secret's file named by a variable", () => {
  place.write("pw", "x\n");
  const { config } = place.load({
    env: { TOMEKEEPER_MQTT__PASSWORD_FILE: "pw", TOMEKEEPER_MQTT__USERNAME: "u" },
  });
  expect(config.mqtt.password).toBe("x");
});

test("refuses a secret and its file together, a file that is not there, and an empty one", () => {
  place.write("empty", "\n");
  place.write("tomekeeper.yaml", "mqtt: {username: u, password: canary, password_file: empty}\n");
  expect(place.problems()).toEqual([
    "tomekeeper.yaml:1: mqtt.password_file and password are both set: keep one of them",
  ]);
  place.write("tomekeeper.yaml", "mqtt: {username: u, password_file: none}\n");
  expect(place.problems()).toEqual([
    expect.stringMatching(
      /^tomekeeper\.yaml:1: mqtt\.password_file is .*none: the file cannot be read \(ENOENT/,
    ),
  ]);
  place.write("tomekeeper.yaml", "mqtt: {username: u, password_file: empty}\n");
  expect(place.problems()).toEqual([expect.stringMatching(/empty: the file is empty$/)]);
});

test("refuses a password without a user, which no broker accepts", () => {
  place.write("tomekeeper.yaml", "mqtt: {url: 'mqtt://x', password: p}\n");
  expect(place.problems()).toEqual(["tomekeeper.yaml:1: mqtt.password needs mqtt.username beside it"]);
});

test("shows no secret in what is printed, wherever it came from", () => {
  place.write("pw", "canary-file\n");
  place.write(
    "tomekeeper.yaml",
    [
      "mqtt:",
      "  url: mqtt://me:canary-url@host",
      "  embedded: {users: [{username: a, password: canary-user}, {username: b, password_file: pw}]}",
      "sources: {audible: {token: canary-token, base_url: 'https://u:canary-base@host/'}}",
      "plugins: {x: {api_key: canary-key, deep: {password: canary-deep, list: [{token: canary-list}]}, secret: {a: canary-sub}}}",
    ].join("\n"),
  );
  const result = place.load({ env: { TOMEKEEPER_SOURCES__AUDIBLE__TOKEN: "canary-env" } });
  const printed = `${printConfig(result)}${JSON.stringify(redactConfig(result.config))}${JSON.stringify(result.origins)}`;
  expect(printed).toContain("***");
  expect(printed).toContain("mqtt://host");
  expect(printed).not.toContain("canary");
});

test("prints where each setting was said", () => {
  place.write("tomekeeper.yaml", "scan:\n  concurrency: 2\nroots:\n  - path: /a\n");
  const printed = printConfig(place.load({ env: { TOMEKEEPER_NODE: "n" } }));
  expect(printed).toContain("node: n # environment TOMEKEEPER_NODE\n");
  expect(printed).toContain("  concurrency: 2 # tomekeeper.yaml:2\n");
  expect(printed).toContain("# tomekeeper.yaml:3\nroots:\n");
});
