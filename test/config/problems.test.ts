import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makePlace, type Place } from "./place.ts";

let place: Place;
beforeEach(() => {
  place = makePlace();
});
afterEach(() => place.remove());

const problemsOf = (yaml: string) => {
  place.write("tomekeeper.yaml", yaml);
  return place.problems();
};

describe("a key that does not exist", () => {
  test("is named with file, line and the nearest one", () => {
    expect(problemsOf("scan:\n  concurency: 3\n")).toEqual([
      "tomekeeper.yaml:2: scan.concurency is not a setting; did you mean scan.concurrency?",
    ]);
  });

  test("is pointed to the section where a key of that name is", () => {
    expect(problemsOf("walk_concurrency: 3\n")).toEqual([
      "tomekeeper.yaml:1: walk_concurrency is not a setting; did you mean scan.walk_concurrency?",
    ]);
  });

  test("is answered with all keys where none is near", () => {
    expect(problemsOf("memory:\n  zebra: 3\n")).toEqual([
      "tomekeeper.yaml:2: memory.zebra is not a setting; the keys in memory are share",
    ]);
  });

  test("is found in lists, in sources and in the environment too", () => {
    expect(problemsOf("roots:\n  - path: /a\n    knd: inbox\n")).toEqual([
      "tomekeeper.yaml:3: roots[0].knd is not a setting; did you mean roots[0].kind?",
    ]);
    expect(problemsOf("sources:\n  audible:\n    tken: x\n")).toEqual([
      "tomekeeper.yaml:3: sources.audible.tken is not a setting; did you mean sources.audible.token?",
    ]);
    place.write("tomekeeper.yaml", "");
    expect(place.problems({ env: { TOMEKEEPER_SCAN__CONCURENCY: "3" } })).toEqual([
      "environment TOMEKEEPER_SCAN__CONCURENCY: is not a setting; did you mean TOMEKEEPER_SCAN__CONCURRENCY?",
    ]);
  });

  test("called __proto__ or constructor reaches no object", () => {
    expect(problemsOf("__proto__:\n  node: evil\n")).toEqual([
      expect.stringContaining("tomekeeper.yaml:1: __proto__ is not a setting"),
    ]);
    place.write("tomekeeper.yaml", "");
    expect(place.problems({ env: { TOMEKEEPER_SCAN: '{"constructor": 1, "__proto__": {"a": 1}}' } })).toEqual(
      [
        expect.stringContaining("scan.constructor is not a setting"),
        expect.stringContaining("scan.__proto__ is not a setting"),
      ],
    );
    expect(place.problems({ env: { TOMEKEEPER___PROTO____X: "1" } })).toHaveLength(1);
    expect(({} as { a?: number }).a).toBeUndefined();
  });
});

describe("a value that is not allowed", () => {
  const cases: readonly [yaml: string, problem: string][] = [
    [
      "organize:\n  strategy: hardlnk\n",
      'tomekeeper.yaml:2: organize.strategy is "hardlnk": must be one of auto, reflink, hardlink, copy, symlink, move; did you mean hardlink?',
    ],
    [
      "cache_size: many\n",
      'tomekeeper.yaml:1: cache_size is "many": must be a whole number from 0 to 100000',
    ],
    ["cache_size: 1.5\n", "tomekeeper.yaml:1: cache_size is 1.5: must be a whole number from 0 to 100000"],
    ["cache_size: -1\n", "tomekeeper.yaml:1: cache_size is -1: must be a whole number from 0 to 100000"],
    ["scan:\n  on_startup: yes\n", 'tomekeeper.yaml:2: scan.on_startup is "yes": must be true or false'],
    [
      "scan:\n  concurrency: 65\n",
      "tomekeeper.yaml:2: scan.concurrency is 65: must be a whole number from 1 to 64",
    ],
    ["scan: 5\n", "tomekeeper.yaml:1: scan must be a section of its own, with its keys below it"],
    ["node: My Node\n", 'tomekeeper.yaml:1: node is "My Node": must be 1 to 64 of a-z, 0-9, _ and -'],
    ["roots: /books\n", 'tomekeeper.yaml:1: roots is "/books": must be a list of at most 100'],
    ["roots:\n  - kind: inbox\n", "tomekeeper.yaml:2: roots[0].path is missing: must be a path"],
    [
      "sources:\n  Open_Library: {}\n",
      "tomekeeper.yaml:2: sources.Open_Library is not a valid name: must be 1 to 64 of a-z, 0-9 and -",
    ],
    [
      "mqtt:\n  url: localhost\n",
      'tomekeeper.yaml:2: mqtt.url is "localhost": must be an address such as mqtt://host:1883 or mqtts://host:8883 (also ws://, wss://)',
    ],
    [
      "fetch:\n  allow_hosts: ['http://x/']\n",
      'tomekeeper.yaml:2: fetch.allow_hosts[0] is "http://x/": must be the name or address of a host, without a scheme or a path',
    ],
    [
      "mqtt:\n  username: 12\n",
      "tomekeeper.yaml:2: mqtt.username is 12: must be text (in quotes where it looks like a number), not empty",
    ],
  ];
  test.each(cases)("%j", (yaml, problem) => {
    expect(problemsOf(yaml)).toEqual([problem]);
  });

  test("is never shown where it is a secret, or holds one", () => {
    const problems = [
      ...problemsOf("mqtt:\n  password: 31337\n"),
      ...problemsOf("mqtt:\n  password: [canary]\n"),
      ...problemsOf("mqtt:\n  url: http://me:canary@host\n"),
    ].join("\n");
    expect(problems).toContain("mqtt.password is not usable");
    expect(problems).toContain('mqtt.url is "http://***@host"');
    expect(problems).not.toMatch(/31337|canary/);
  });

  test("of a variable that is no JSON list is said so", () => {
    expect(place.problems({ env: { TOMEKEEPER_ROOTS: "/books" } })).toEqual([
      "environment TOMEKEEPER_ROOTS: must be a JSON list in one line",
    ]);
    expect(place.problems({ env: { TOMEKEEPER_QUEUE__LIMIT: "many" } })).toEqual([
      'environment TOMEKEEPER_QUEUE__LIMIT: queue.limit is "many": must be a whole number from 1 to 1000000',
    ]);
  });

  test("of a flag names the flag", () => {
    const flags = [{ path: ["mqtt", "embedded", "port"], flag: "--mqtt-port", value: 70_000 }];
    expect(place.problems({ flags })).toEqual([
      "--mqtt-port: mqtt.embedded.port is 70000: must be a whole number from 0 to 65535",
    ]);
  });
});

test("all problems of all sources are told at once", () => {
  place.write("tomekeeper.yaml", "node: A\nfoo: 1\nscan: {ignore: x}\n");
  expect(place.problems({ env: { TOMEKEEPER_QUEUE__LIMIT: "0", TOMEKEEPER_BAR: "1" } })).toHaveLength(5);
});

describe("a file that cannot be used", () => {
  test("because it is not there says so", () => {
    expect(place.problems({ file: "none.yaml" })).toEqual([
      expect.stringMatching(/^none\.yaml: cannot be read \(ENOENT/),
    ]);
  });

  test("because it is not YAML says the line", () => {
    expect(problemsOf("node: main\nscan: {\n")).toEqual([
      expect.stringMatching(/^tomekeeper\.yaml:[23]: is not valid YAML: /),
    ]);
    expect(problemsOf("node: a\nnode: b\n")).toEqual([
      "tomekeeper.yaml:2: node is set twice: keep one of them",
    ]);
  });

  test("because its aliases blow up is refused", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
    for (let i = 0; i < 9; i++) {
      const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
      bomb.push(
        `${to}: &${to} [*${from}, *${from}, *${from}, *${from}, *${from}, *${from}, *${from}, *${from}]`,
      );
    }
    expect(problemsOf(`${bomb.join("\n")}\n`)).toEqual([
      expect.stringMatching(/^tomekeeper\.yaml: is not usable YAML: .*alias/),
    ]);
  });

  test("because it holds no settings says what it should hold", () => {
    expect(problemsOf("- a\n- b\n")).toEqual([
      "tomekeeper.yaml: must hold settings as `key: value`, one a line",
    ]);
  });
});

describe("roots that contradict each other", () => {
  test("by the same id", () => {
    expect(problemsOf("roots:\n  - {path: /a, id: x}\n  - {path: /b, id: x}\n")).toEqual([
      'tomekeeper.yaml:3: roots[1].id is "x", as roots[0].id is: give each root its own',
    ]);
  });

  test("by the same folder", () => {
    expect(problemsOf("roots:\n  - path: /a/b\n  - path: /a/x/../b/\n")).toEqual([
      'tomekeeper.yaml:3: roots[1].path is /a/b, the same folder as /a/b of root "b": roots must lie beside each other',
    ]);
  });

  test("by one that lies in another, in either order", () => {
    expect(problemsOf("roots:\n  - path: /a/b\n  - path: /a\n    id: above\n")).toEqual([
      'tomekeeper.yaml:2: roots[0].path is /a/b, inside /a of root "above": roots must lie beside each other',
    ]);
    place.write("tomekeeper.yaml", "roots: [{path: /a/b}, {path: /a/bc}, {path: /a/..b}]\n");
    expect(place.load().config.roots).toHaveLength(3);
  });
});

describe("the runner's own broker", () => {
  test("needs users and TLS, or an explicit word, beyond loopback", () => {
    expect(problemsOf("mqtt:\n  embedded:\n    host: 0.0.0.0\n")).toEqual([
      expect.stringMatching(
        /^tomekeeper\.yaml:3: mqtt\.embedded\.host is 0\.0\.0\.0, .* add mqtt\.embedded\.users$/,
      ),
      expect.stringMatching(/set mqtt\.embedded\.tls, or mqtt\.embedded\.allow_plaintext/),
    ]);
    place.write(
      "tomekeeper.yaml",
      "mqtt:\n  embedded:\n    host: 0.0.0.0\n    allow_plaintext: true\n    users: [{username: u, password: p}]\n",
    );
    expect(place.load().config.mqtt.embedded.users).toEqual([
      { username: "u", password: "p", password_file: null, role: "control" },
    ]);
  });

  test("is not judged where another broker is used", () => {
    place.write("tomekeeper.yaml", "mqtt:\n  url: mqtt://x\n  embedded:\n    host: 0.0.0.0\n");
    expect(place.load().config.mqtt.url).toBe("mqtt://x");
  });

  test("needs a password for each user, and each user once", () => {
    const users = "[{username: a}, {username: b, password: p}, {username: b, password: p}]";
    expect(problemsOf(`mqtt:\n  embedded:\n    users: ${users}\n`)).toEqual([
      "tomekeeper.yaml:3: mqtt.embedded.users[0].password is missing: set it or password_file",
      'tomekeeper.yaml:3: mqtt.embedded.users[2].username is "b", as users[1] is',
    ]);
  });
});

describe("the organize pattern", () => {
  test("is checked when the configuration is read, with the nearest token", () => {
    expect(problemsOf('organize:\n  pattern: "{autor}/{title}"\n')).toEqual([
      'tomekeeper.yaml:2: organize.pattern has "{autor}", which is no token; did you mean author?',
    ]);
    expect(problemsOf('organize:\n  pattern: "{author}/{zebra}"\n')[0]).toContain("the tokens are author,");
    expect(problemsOf('organize:\n  pattern: "../{title}"\n')[0]).toContain('may not hold "." or ".."');
    expect(problemsOf('organize:\n  pattern: "{title"\n')[0]).toContain("a brace without its other one");
  });

  test("goes to a library root that there is", () => {
    const roots = "roots:\n  - { id: books, path: /b }\n  - { id: inbox, path: /i, kind: inbox }\n";
    expect(problemsOf(`${roots}organize:\n  destination: bokks\n`)).toEqual([
      'tomekeeper.yaml:5: organize.destination is "bokks", which is no library root: there are books; did you mean books?',
    ]);
    expect(problemsOf(`${roots}organize:\n  destination: inbox\n`)[0]).toContain("which is no library root");
  });
});
