import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePlace, type Place } from "./place.ts";

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place.remove());

describe("defaults", () => {
  test("give every setting the documented value without any source", () => {
    const { config, warnings, file } = place.load();
    expect(config).toMatchObject({
      node: "main",
      data_dir: path.join(place.home, ".local/share/tomekeeper"),
      log_level: "info",
      cache_size: 1000,
      roots: [],
      mqtt: { url: null, password: null, embedded: { host: "127.0.0.1", port: 1883, users: [], tls: null } },
      scan: {
        concurrency: 4,
        walk_concurrency: 16,
        on_startup: true,
        checkpoint_interval: 100,
        file_timeout_ms: 5000,
        ignore: [],
      },
      organize: { strategy: "auto", playlist_dir: null },
      sources: {},
      fetch: { allow_hosts: [] },
      plugins: {},
    });
    expect(file).toBeNull();
    expect(warnings).toEqual([expect.stringContaining("roots is empty")]);
  });

  test("put the data folder into XDG_DATA_HOME where it is set", () => {
    expect(place.load({ env: { XDG_DATA_HOME: "/xdg" } }).config.data_dir).toBe("/xdg/tomekeeper");
  });

  test("ignore an XDG_DATA_HOME that is not absolute, as its specification asks", () => {
    const { config } = place.load({ env: { XDG_DATA_HOME: "xdg" } });
    expect(config.data_dir).toBe(path.join(place.home, ".local/share/tomekeeper"));
  });
});

describe("the order of sources", () => {
  test("lets the file win over defaults, the environment over the file, flags over all", () => {
    place.write(
      "tomekeeper.yaml",
      "node: from-file\ncache_size: 5\nscan:\n  concurrency: 2\n  walk_concurrency: 3\n",
    );
    const { config } = place.load({
      env: { TOMEKEEPER_NODE: "from-env", TOMEKEEPER_SCAN__CONCURRENCY: "7" },
      flags: [{ path: ["node"], flag: "--node", value: "from-flag" }],
    });
    expect(config.node).toBe("from-flag");
    expect(config.scan.concurrency).toBe(7);
    expect(config.scan.walk_concurrency).toBe(3);
    expect(config.cache_size).toBe(5);
    expect(config.scan.checkpoint_interval).toBe(100);
  });

  test("replaces lists whole", () => {
    place.write("tomekeeper.yaml", "roots: [{path: /a}, {path: /b}]\n");
    const flags = [{ path: ["roots"], flag: "--library", value: [{ path: "/c" }] }];
    expect(place.load({ flags }).config.roots.map((root) => root.path)).toEqual(["/c"]);
  });

  test("says for every setting that is not a default where it was said", () => {
    place.write("tomekeeper.yaml", "\nscan:\n  concurrency: 2\nroots:\n  - path: /a\n");
    const { origins } = place.load({
      env: { TOMEKEEPER_SCAN__ON_STARTUP: "false" },
      flags: [{ path: ["node"], flag: "--node", value: "n" }],
    });
    expect(origins).toEqual({
      "scan.concurrency": "tomekeeper.yaml:3",
      roots: "tomekeeper.yaml:4",
      "scan.on_startup": "environment TOMEKEEPER_SCAN__ON_STARTUP",
      node: "--node",
    });
  });
});

describe("the file", () => {
  test("is the one that --config names, before any other", () => {
    place.write("tomekeeper.yaml", "node: here\n");
    place.write("other/mine.yaml", "node: there\n");
    const { config, file } = place.load({ file: "other/mine.yaml", env: { TOMEKEEPER_CONFIG: "no" } });
    expect(config.node).toBe("there");
    expect(file).toBe(path.join(place.dir, "other/mine.yaml"));
  });

  test("is the one that TOMEKEEPER_CONFIG names", () => {
    place.write("other/mine.yaml", "node: there\n");
    expect(place.load({ env: { TOMEKEEPER_CONFIG: "other/mine.yaml" } }).config.node).toBe("there");
  });

  test("is tomekeeper.yaml in the data folder where the current folder has none", () => {
    place.write("data/tomekeeper.yaml", "node: in-data\n");
    const flags = [{ path: ["data_dir"], flag: "--data", value: "data" }];
    expect(place.load({ flags }).config.node).toBe("in-data");
    expect(place.load({ env: { TOMEKEEPER_DATA_DIR: "data" } }).config.node).toBe("in-data");
    place.write("tomekeeper.yaml", "node: here\n");
    expect(place.load({ flags }).config.node).toBe("here");
  });

  test("may be empty, or hold nothing but comments and bare sections", () => {
    place.write("tomekeeper.yaml", "");
    expect(place.load().config.node).toBe("main");
    place.write("tomekeeper.yaml", "# nothing\nscan:\n#  concurrency: 2\nroots: []\nmqtt:\n  embedded:\n");
    expect(place.load().config.scan.concurrency).toBe(4);
  });

  test("has its relative paths start at its own folder, and ~ at home", () => {
    place.write("etc/t.yaml", "data_dir: d\nroots: [{path: ../books}, {path: ~/more}]\nmqtt: {ca: ca.pem}\n");
    const { config } = place.load({ file: "etc/t.yaml" });
    expect(config.data_dir).toBe(path.join(place.dir, "etc/d"));
    expect(config.roots.map((root) => root.path)).toEqual([
      path.join(place.dir, "books"),
      path.join(place.home, "more"),
    ]);
    expect(config.mqtt.ca).toBe(path.join(place.dir, "etc/ca.pem"));
  });
});

describe("the environment", () => {
  test("sets lists, numbers, booleans and texts, each in its kind", () => {
    const { config } = place.load({
      env: {
        TOMEKEEPER_ROOTS: '[{"path": "books", "kind": "inbox"}]',
        TOMEKEEPER_SCAN__IGNORE: '["**/x"]',
        TOMEKEEPER_MQTT__EMBEDDED__PORT: "0",
        TOMEKEEPER_MQTT__EMBEDDED__ALLOW_PLAINTEXT: "true",
        TOMEKEEPER_MQTT__USERNAME: "1234",
        TOMEKEEPER_MQTT__PASSWORD: "0123",
      },
    });
    expect(config.roots).toEqual([
      { id: "books", path: path.join(place.dir, "books"), kind: "inbox", optional: false, watch: true },
    ]);
    expect(config.scan.ignore).toEqual(["**/x"]);
    expect(config.mqtt.embedded).toMatchObject({ port: 0, allow_plaintext: true });
    expect(config.mqtt).toMatchObject({ username: "1234", password: "0123" });
  });

  test("names sources and plugins with _ for -", () => {
    const { config } = place.load({
      env: {
        TOMEKEEPER_SOURCES__OPEN_LIBRARY__TOKEN: "t",
        TOMEKEEPER_PLUGINS__HOME_ASSISTANT__DISCOVERY_PREFIX: "ha",
        TOMEKEEPER_PLUGINS__HOME_ASSISTANT__ENABLED: "false",
      },
    });
    expect(config.sources["open-library"]).toMatchObject({ token: "t", enabled: true });
    expect(config.plugins["home-assistant"]).toMatchObject({ discovery_prefix: "ha", enabled: false });
  });

  test("may set a section as JSON and single settings in it besides", () => {
    const { config } = place.load({
      env: {
        TOMEKEEPER_SCAN: '{"concurrency": 2, "walk_concurrency": 9}',
        TOMEKEEPER_SCAN__CONCURRENCY: "3",
      },
    });
    expect(config.scan).toMatchObject({ concurrency: 3, walk_concurrency: 9 });
  });

  test("counts an empty variable as not set, and leaves what is not ours alone", () => {
    const env = {
      TOMEKEEPER_NODE: "",
      TOMEKEEPER_PORT: "tcp://10.0.0.1:1883",
      TOMEKEEPER_PORT_1883_TCP: "tcp://10.0.0.1:1883",
      TOMEKEEPER_SERVICE_HOST: "10.0.0.1",
      TOMEKEEPERS: "x",
      HOME: "/root",
      SCAN__CONCURRENCY: "x",
    };
    expect(place.load({ env }).config.node).toBe("main");
  });
});

describe("roots", () => {
  const ids = (roots: readonly unknown[]) =>
    place
      .load({ flags: [{ path: ["roots"], flag: "--library", value: roots }] })
      .config.roots.map((root) => root.id);

  test("are called after their folder", () => {
    expect(ids([{ path: "/a/My Büch er!" }])).toEqual(["my-buch-er"]);
    expect(ids([{ path: "/a/電子書" }])).toEqual(["library"]);
    expect(ids([{ path: "/電子書", kind: "inbox" }])).toEqual(["inbox"]);
    expect(ids([{ path: `/a/${"x".repeat(100)}` }])).toEqual(["x".repeat(64)]);
  });

  test("that would be called the same get a number", () => {
    expect(ids([{ path: "/a/books" }, { path: "/b/books" }, { path: "/c/books" }])).toEqual([
      "books",
      "books-2",
      "books-3",
    ]);
    const long = "y".repeat(64);
    expect(ids([{ path: `/a/${long}` }, { path: `/b/${long}` }])).toEqual([long, `${"y".repeat(62)}-2`]);
  });

  test("keep the ids that they were given, whatever the others are called", () => {
    expect(ids([{ path: "/a/books" }, { path: "/b/other", id: "books" }])).toEqual(["books-2", "books"]);
  });
});

test("a concurrency below 1 becomes 1 with a warning that says where", () => {
  place.write("tomekeeper.yaml", "scan:\n  concurrency: 0\nqueue:\n  concurrency: -2\nroots: [{path: /a}]\n");
  const { config, warnings } = place.load();
  expect(config.scan.concurrency).toBe(1);
  expect(config.queue.concurrency).toBe(1);
  expect(warnings).toEqual([
    "tomekeeper.yaml:2: scan.concurrency is 0: below 1, so it is taken as 1",
    "tomekeeper.yaml:4: queue.concurrency is -2: below 1, so it is taken as 1",
  ]);
});

test("an AI plugin that is on without a key is a warning, with one it is none", () => {
  place.write("tomekeeper.yaml", "roots: [{path: /a}]\nplugins:\n  ai: {enabled: true}\n");
  expect(place.load().warnings).toEqual([
    expect.stringContaining("tomekeeper.yaml:3: plugins.ai is enabled without a key"),
  ]);
  expect(place.load({ env: { TOMEKEEPER_PLUGINS__AI__API_KEY: "k" } }).warnings).toEqual([]);
  expect(place.load({ env: { TOMEKEEPER_PLUGINS__AI__ENABLED: "false" } }).warnings).toEqual([]);
});

test("the configuration is frozen to its last list and object", () => {
  place.write(
    "tomekeeper.yaml",
    "roots: [{path: /a}]\nplugins: {x: {list: [{a: 1}]}}\nmqtt: {embedded: {users: [{username: u, password: p}]}}\n",
  );
  const thawed: string[] = [];
  const look = (value: unknown, at: string): void => {
    if (typeof value !== "object" || value === null) return;
    if (!Object.isFrozen(value)) thawed.push(at);
    for (const [key, inner] of Object.entries(value)) look(inner, `${at}.${key}`);
  };
  look(place.load().config, "config");
  expect(thawed).toEqual([]);
});

test("a login in the broker's address is taken out of it", () => {
  const flags = [{ path: ["mqtt", "url"], flag: "--broker", value: "mqtt://me:p%40ss@host:1884" }];
  expect(place.load({ flags }).config.mqtt).toMatchObject({
    url: "mqtt://host:1884",
    username: "me",
    password: "p@ss",
  });
});
