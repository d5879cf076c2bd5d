import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maxPayloadBytes, readRequest } from "../../src/bus/request.ts";
import { type CommandName, commands } from "../../src/bus/topics.ts";

const read = (name: string, payload: unknown) =>
  readRequest(
    name,
    Buffer.isBuffer(payload)
      ? payload
      : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload)),
  );

/** What was refused, as it will stand in the answer. */
function refusal(name: string, payload: unknown) {
  const request = read(name, payload);
  if (request.ok) throw new Error("it was taken");
  const { code, message, details, retryable } = request.error;
  return { code, message, details, retryable, transaction: request.transaction };
}

test("takes an empty object for the defaults of every command that needs no key", () => {
  const taken = Object.keys(commands).filter((name) => read(name, {}).ok);
  const keyless = [
    "scan",
    "organize",
    "undo",
    "verify",
    "history",
    "query",
    "operations",
    "cancel",
    "pause",
    "resume",
    "configure",
    "diagnose",
    "fetch",
    "reload",
  ];
  expect(taken).toEqual(keyless);
  expect(read("query", {})).toMatchObject({ ok: true, transaction: null, input: { limit: 50, offset: 0 } });
  expect(read("scan", {})).toMatchObject({ ok: true, priority: "normal", input: { force: false } });
});

test("names every unknown key with its place and what there is instead", () => {
  expect(refusal("query", { transaction: "t1", txt: "a", lmit: 3 })).toMatchObject({
    code: "invalid_payload",
    transaction: "t1",
    details: {
      problems: [
        { path: "txt", message: expect.stringContaining("text, author, series") },
        { path: "lmit", message: expect.stringContaining("unknown key") },
      ],
    },
  });
  expect(refusal("set", { book: "b", fields: { title: "x", titel: "y" } }).details).toMatchObject({
    problems: [{ path: "fields.titel", message: "unknown key" }],
  });
});

test("lists every wrong value with its place", () => {
  const { details, message } = refusal("query", { limit: 201, offset: -1, state: "gone", text: 5 });
  expect(details).toMatchObject({
    problems: [
      { path: "text", message: expect.any(String) },
      { path: "state", message: expect.stringContaining("needs_review") },
      { path: "limit", message: expect.stringContaining("200") },
      { path: "offset", message: expect.any(String) },
    ],
  });
  expect(message).toContain("limit: ");
});

test.each([
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"hasOwnProperty":1}',
  '{"toString":1}',
])("refuses %s as unknown keys, in the payload and inside it", (text) => {
  expect(refusal("scan", text).code).toBe("invalid_payload");
  expect(refusal("set", `{"book":"b","fields":${text}}`).code).toBe("invalid_payload");
  expect(refusal("set", `{"book":"b","fields":{"series":[${text.replace("{", '{"name":"x",')}]}}`).code).toBe(
    "invalid_payload",
  );
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("a transaction in the prototype of a payload is none", () => {
  expect(refusal("scan", '{"__proto__":{"transaction":"t1"}}').transaction).toBeNull();
});

test("echoes a valid transaction where the rest is wrong, and null where it is itself wrong", () => {
  expect(refusal("book", { transaction: "t.1:_-" }).transaction).toBe("t.1:_-");
  for (const transaction of ["", "a b", "ü", "x".repeat(65), 7, null, {}, ["t"]]) {
    expect(refusal("scan", { transaction })).toMatchObject({ code: "invalid_payload", transaction: null });
  }
  expect(read("scan", { transaction: "x".repeat(64) }).ok).toBe(true);
});

test("tells broken JSON, broken UTF-8 and other kinds of JSON apart", () => {
  for (const text of ["{", "", " ", "{'a':1}", "{}{}", "NaN", '{"a":1,}']) {
    expect(refusal("scan", text)).toMatchObject({ code: "invalid_json", transaction: null });
  }
  expect(refusal("scan", Buffer.from([0x7b, 0xff, 0xfe, 0x7d])).code).toBe("invalid_json");
  for (const value of [[], null, 1, '"scan"', true, [{}]])
    expect(refusal("scan", value).code).toBe("invalid_payload");
});

test("an unknown command is told with the transaction and with what there is", () => {
  expect(refusal("scna", { transaction: "t1" })).toMatchObject({
    code: "unknown_command",
    transaction: "t1",
    message: expect.stringContaining("scan, organize"),
  });
  expect(refusal("constructor", "{").code).toBe("unknown_command");
  expect(refusal("organise", {}).code).toBe("unknown_command");
});

test("refuses a payload over 256 KiB before it looks into it", () => {
  const padded = (bytes: number): Buffer => {
    const text = '{"transaction":"t1"}';
    return Buffer.from(text.padEnd(bytes, " "));
  };
  expect(read("scan", padded(maxPayloadBytes)).ok).toBe(true);
  expect(refusal("scan", padded(maxPayloadBytes + 1))).toMatchObject({
    code: "payload_too_large",
    transaction: null,
  });
});

test("a quarter of a megabyte of brackets is answered like anything else", () => {
  expect(refusal("scan", "[".repeat(maxPayloadBytes)).code).toBe("invalid_json");
  const deep = `{"path":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  expect(refusal("scan", deep).code).toBe("invalid_payload");
});

test("the answer to a payload of thousands of unknown keys is small", () => {
  const keys = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key-${i}`, 1]));
  const refused = refusal("scan", keys);
  expect(refused.details).toMatchObject({ problems: { length: 20 } });
  expect(JSON.stringify(refused).length).toBeLessThan(10_000);
  expect(JSON.stringify(refusal("scan", { ["x".repeat(200_000)]: 1 })).length).toBeLessThan(2_000);
});

test("a correction takes null and empty lists, and text for a position", () => {
  const fields = {
    title: "T",
    subtitle: null,
    authors: [],
    series: [{ name: "S", position: "1-3" }, { name: "U" }],
    year: 1999,
    explicit: null,
  };
  expect(read("set", { book: "b", fields })).toMatchObject({
    ok: true,
    input: {
      fields: {
        ...fields,
        series: [
          { name: "S", position: "1-3" },
          { name: "U", position: null },
        ],
      },
    },
  });
  expect(refusal("set", { book: "b", fields: {} }).details).toMatchObject({
    problems: [{ path: "fields", message: "names no field" }],
  });
  expect(refusal("set", { book: "b", fields: { series: [{ name: "S", position: 1.5 }] } }).code).toBe(
    "invalid_payload",
  );
});

test("whatever arrives is a request or a refusal, never a throw", () => {
  const name = fc.oneof(fc.constantFrom(...(Object.keys(commands) as CommandName[])), fc.string());
  const payload = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc
      .dictionary(fc.constantFrom("root", "path", "fields", "book", "limit", "transaction"), fc.jsonValue())
      .map((value) => Buffer.from(JSON.stringify(value))),
  );
  fc.assert(
    fc.property(name, payload, (command, bytes) => {
      const request = readRequest(command, bytes);
      expect(typeof request.ok).toBe("boolean");
    }),
    { numRuns: 500 },
  );
});

describe("organize", () => {
  test("takes books, or a query, or nothing, with a strategy and a dry run", () => {
    expect(read("organize", {})).toMatchObject({ ok: true, priority: "normal", input: { dry_run: false } });
    expect(read("organize", { books: ["a", "b"], strategy: "move", dry_run: true })).toMatchObject({
      ok: true,
      input: { books: ["a", "b"], strategy: "move", dry_run: true },
    });
    for (const strategy of ["auto", "reflink", "hardlink", "copy", "symlink", "move"]) {
      expect(read("organize", { query: "emma", strategy }).ok).toBe(true);
    }
  });

  test.each([
    [{ books: [] }, "books"],
    [{ books: "a" }, "books"],
    [{ books: [""] }, "books.0"],
    [{ books: ["a", 7] }, "books.1"],
    [{ books: ["x".repeat(65)] }, "books.0"],
    [{ query: "" }, "query"],
    [{ query: " \u00a0\t" }, "query"],
    [{ query: 7 }, "query"],
    [{ query: "x".repeat(501) }, "query"],
    [{ strategy: "link" }, "strategy"],
    [{ strategy: null }, "strategy"],
    [{ dry_run: "yes" }, "dry_run"],
    [{ priority: "urgent" }, "priority"],
    [{ dryRun: true }, "dryRun"],
    [{ book: "a" }, "book"],
    [{ books: ["a"], query: "b" }, ""],
  ])("refuses %j, which would not mean what it says", (payload, path) => {
    const { code, details } = refusal("organize", payload);
    expect(code).toBe("invalid_payload");
    expect(details).toMatchObject({ problems: [{ path, message: expect.any(String) }] });
  });

  test("says which keys it knows, and which of them exclude each other", () => {
    expect(refusal("organize", { book: "a" }).message).toMatch(
      /unknown key.*books, query, strategy, dry_run/,
    );
    expect(refusal("organize", { books: ["a"], query: "b" }).message).toContain(
      "books and query exclude each other",
    );
  });
});

test("undo takes an operation or the last one, all of it or in part", () => {
  expect(read("undo", {})).toMatchObject({ ok: true, input: { partial: false } });
  expect(read("undo", { operation_id: "op-1", partial: true }).ok).toBe(true);
  for (const payload of [{ operation_id: "" }, { operation_id: null }, { partial: 1 }, { id: "op-1" }]) {
    expect(refusal("undo", payload).code).toBe("invalid_payload");
  }
});

test("verify takes a folder and books, and runs at low priority unless asked otherwise", () => {
  expect(read("verify", {})).toMatchObject({ ok: true, priority: "low" });
  expect(read("verify", { root: "books", path: "A/B", books: ["a"] }).ok).toBe(true);
  for (const priority of ["low", "normal", "high"]) {
    expect(read("verify", { priority })).toMatchObject({ ok: true, priority });
  }
  for (const payload of [
    { books: [] },
    { root: "" },
    { path: 7 },
    { path: "x".repeat(4_097) },
    { force: true },
  ]) {
    expect(refusal("verify", payload).code).toBe("invalid_payload");
  }
});

test("history takes one operation or a page", () => {
  expect(read("history", {})).toMatchObject({ ok: true, input: { limit: 50, offset: 0 } });
  expect(read("history", { operation_id: "op-1" }).ok).toBe(true);
  for (const payload of [{ limit: 0 }, { limit: 201 }, { offset: -1 }, { operation_id: 1 }, { book: "a" }]) {
    expect(refusal("history", payload).code).toBe("invalid_payload");
  }
});
