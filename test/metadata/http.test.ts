import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isPublicAddress } from "../../src/metadata/addresses.ts";
import { createHttp, type Http } from "../../src/metadata/http.ts";

let server: Server;
let http: Http;
let base: string;
let answer: RequestListener;

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  base = `http://127.0.0.1:${port}`;
  http = createHttp({ userAgent: "Test/1", timeoutMs: 500, allowHosts: [`127.0.0.1:${port}`] });
});
afterEach(async () => {
  await http.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = (address: string) =>
  http.fetch(new URL(address, base), { signal: new AbortController().signal, accept: "application/json" });

test.each([
  ["8.8.8.8", true],
  ["2606:4700::1111", true],
  ["127.0.0.1", false],
  ["10.1.2.3", false],
  ["172.31.0.1", false],
  ["192.168.1.1", false],
  ["169.254.169.254", false],
  ["100.64.0.1", false],
  ["0.0.0.0", false],
  ["224.0.0.1", false],
  ["255.255.255.255", false],
  ["::1", false],
  ["::", false],
  ["fe80::1", false],
  ["fd00::1", false],
  ["::ffff:127.0.0.1", false],
  ["::ffff:8.8.8.8", false],
  ["64:ff9b::7f00:1", false],
  ["2002:7f00:1::", false],
  ["2001:db8::1", false],
  ["localhost", false],
])("%s lies in the public internet: %s", (address, expected) =>
  expect(isPublicAddress(address)).toBe(expected),
);

describe("an address that may not be fetched from", () => {
  test.each([
    ["https://127.0.0.1/cover.jpg", /127\.0\.0\.1 is an address of this machine or its network/],
    ["https://169.254.169.254/latest/meta-data", /169\.254\.169\.254 is an address/],
    ["https://[::1]/", /::1 is an address/],
    ["https://2130706433/", /127\.0\.0\.1 is an address/],
    ["https://localhost/", /is an address of this machine or its network/],
    ["http://example.org/cover.jpg", /not https/],
    ["https://user:secret@example.org/", /user name or a password/],
  ])("is refused with its reason: %s", async (address, reason) => {
    const refused = await get(address).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "address_refused", message: expect.stringMatching(reason) });
    expect(String(refused)).not.toContain("secret");
  });

  test.each([
    "http://169.254.169.254/",
    "https://10.0.0.1/x",
    "http://localhost:1/",
    "https://localhost/",
    "file:///etc/passwd",
  ])("is refused as the target of a redirect: %s", async (location) => {
    answer = (_, response) => response.writeHead(302, { location }).end();
    await expect(get("/start")).rejects.toMatchObject({ code: "address_refused" });
  });
});

test("does not carry a key or what is posted to another host", async () => {
  answer = (_, response) => response.writeHead(307, { location: "https://example.org/x" }).end();
  const { signal } = new AbortController();
  const headers = { authorization: "Bearer secret" };
  for (const more of [{ headers }, { post: {} }]) {
    await expect(http.fetch(new URL(base), { signal, accept: "*/*", ...more })).rejects.toMatchObject({
      code: "address_refused",
      message: expect.stringMatching(/is meant for 127\.0\.0\.1:\d+ alone/),
    });
  }
});

test("follows redirects, up to five", async () => {
  answer = (request, response) => {
    const left = Number(request.url?.slice(1));
    if (left === 0) response.end("[]");
    else response.writeHead(307, { location: `/${left - 1}` }).end();
  };
  expect((await get("/5")).body.toString()).toBe("[]");
  await expect(get("/6")).rejects.toMatchObject({ code: "answer_invalid", message: /more than 5 redirects/ });
});

test.each([true, false])("cuts off 11 MB, announced or not: %s", async (isAnnounced) => {
  const big = Buffer.alloc(11 * 1024 * 1024);
  answer = (_, response) => {
    if (isAnnounced) response.setHeader("content-length", big.length);
    response.write(big.subarray(0, 100_000));
    response.end(big.subarray(100_000));
  };
  await expect(get("/")).rejects.toMatchObject({
    code: "answer_invalid",
    message: expect.stringMatching(/more than 10 MB/),
  });
});

test("gives up on an answer that does not come, or comes drop by drop", async () => {
  answer = () => {};
  await expect(get("/")).rejects.toMatchObject({ code: "source_unavailable", retryable: true });
  answer = (_, response) => {
    const timer = setInterval(() => response.write(" "), 50);
    response.on("close", () => clearInterval(timer));
  };
  await expect(get("/")).rejects.toMatchObject({
    code: "source_unavailable",
    message: expect.stringMatching(/within 0.5 s/),
  });
});

test.each([
  [429, "7", { code: "rate_limited", retryable: true, details: { retry_after_ms: 7000 } }],
  [429, "x", { code: "rate_limited", retryable: true, details: { status: 429 } }],
  [503, undefined, { code: "source_unavailable", retryable: true }],
  [401, undefined, { code: "answer_invalid", retryable: false }],
])("says what a status means: %d with Retry-After %s", async (status, after, expected) => {
  answer = (_, response) =>
    response.writeHead(status, after === undefined ? {} : { "retry-after": after }).end();
  await expect(get("/")).rejects.toMatchObject(expected);
});

test("understands a Retry-After that is a date", async () => {
  const date = new Date(Date.now() + 10_000).toUTCString();
  answer = (_, response) => response.writeHead(429, { "retry-after": date }).end();
  const error = await get("/").catch(
    (thrown: { readonly details: { readonly retry_after_ms: number } }) => thrown,
  );
  expect("details" in error && error.details.retry_after_ms).toBeGreaterThan(8000);
});

test("says that nothing is there with 404, and that nobody is there with an error that may pass", async () => {
  answer = (_, response) => response.writeHead(404).end("{}");
  expect(await get("/")).toMatchObject({ status: 404 });
  await new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await expect(get("/")).rejects.toMatchObject({
    code: "source_unavailable",
    message: expect.stringMatching(/ECONNREFUSED/),
  });
});
