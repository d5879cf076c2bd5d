import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeAudio } from "../../src/demo/audio/make-audio.ts";
import { type RunningRunner, startRunner } from "../fixtures/runner.ts";
import { type SourceServer, startSourceServer } from "../fixtures/source-server.ts";

const key = "canary-sk-4711";
let dir: string;
let server: Server;
/** A source that is there and knows nothing. */
let sourceServer: SourceServer;
let url: string;
let runner: RunningRunner;
let asked: { readonly authorization: string | undefined; readonly body: Asked }[];
let reply: (names: readonly string[]) => unknown;

interface Asked {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly response_format: { readonly type: string; readonly json_schema: { readonly strict: boolean } };
}

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-ai-"));
  asked = [];
  sourceServer = await startSourceServer([]);
  reply = (names) => ({ books: names.map((name, index) => guessOf(name, index + 1)) });
  server = createServer(async (request, response) => {
    const body: Asked = JSON.parse(Buffer.concat(await request.toArray()).toString());
    asked.push({ authorization: request.headers.authorization, body });
    const names = (body.messages.at(-1)?.content ?? "").split("\n").map((line) => line.replace(/^\d+: /, ""));
    const content = reply(names);
    response.setHeader("content-type", "application/json");
    if (request.url !== "/v1/chat/completions") response.writeHead(404).end("{}");
    else
      response.end(
        JSON.stringify({
          id: "x",
          object: "chat.completion",
          choices: [
            {
              index: 0,
              message: {
                role: "assistant",
                content: typeof content === "string" ? content : JSON.stringify(content),
              },
            },
          ],
        }),
      );
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await runner.kill();
  await sourceServer.stop();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});

/** `xx_Some_Writer__A_Title`, which no rule of ours reads. */
function guessOf(name: string, number: number) {
  const [, author = "", title = ""] = /^xx_(\w+?)__(\w+)$/.exec(name) ?? [];
  const plain = (text: string) => text.replaceAll("_", " ");
  return {
    number,
    title: plain(title) || null,
    authors: author === "" ? [] : [plain(author)],
    narrators: [],
    series: null,
    position: null,
    year: 2001,
  };
}

async function start(books: number, settings: Readonly<Record<string, string>> = {}) {
  for (let index = 0; index < books; index++) {
    const folder = path.join(dir, "books", `xx_Ann_Writer__Title_${index}`);
    mkdirSync(folder, { recursive: true });
    await makeAudio(path.join(folder, "a.mp3"), { tags: {} });
  }
  runner = await startRunner(
    ["--library", path.join(dir, "books"), "--data", path.join(dir, "data"), "--mqtt-port", "0"],
    {
      env: {
        TOMEKEEPER_SCAN__ON_STARTUP: "false",
        TOMEKEEPER_FETCH__ALLOW_HOSTS: JSON.stringify([new URL(url).host, new URL(sourceServer.url).host]),
        TOMEKEEPER_FETCH__SOURCES: '["open-library"]',
        "TOMEKEEPER_SOURCES__OPEN-LIBRARY__BASE_URL": `${sourceServer.url}/open-library`,
        ...settings,
      },
    },
  );
  await runner.ask("scan");
}

const configured = () => ({
  TOMEKEEPER_PLUGINS__AI: JSON.stringify({ base_url: `${url}/v1`, model: "small", api_key: key }),
  TOMEKEEPER_LOG_LEVEL: "debug",
});

async function firstBook() {
  const [found] = await runner.ask("query", { limit: 1 });
  return (await runner.ask("book", { id: found?.data.items[0].id }))[0]?.data;
}

test("names that no rule understands are read twenty at once, fill only what is empty, and are marked", async () => {
  await start(45, configured());
  expect(await firstBook()).toMatchObject({ state: "needs_review", authors: [] });
  const info = await runner.state<{ readonly plugins: readonly object[] }>("info");
  expect(info.plugins).toContainEqual({ name: "ai", state: "running", error: null });
  await runner.ask("set", { book: (await firstBook()).id, fields: { year: 1999 } });
  expect((await runner.ask("fetch")).at(-1)).toMatchObject({
    status: "ok",
    data: { summary: { books: 45 } },
  });
  await runner.state("breaker/ai", ({ calls }: { calls: number }) => calls === 3);
  expect(await firstBook()).toMatchObject({
    title: "Title 0",
    authors: ["Ann Writer"],
    year: 1999,
    state: "needs_review",
    review_reason: "title or author are a guess",
    provenance: { title: "ai", authors: "ai", year: "user" },
  });
  expect(
    Math.max(...asked.map(({ body }) => body.messages.at(-1)?.content.split("\n").length ?? 0)),
  ).toBeLessThanOrEqual(20);
  expect(asked[0]?.authorization).toBe(`Bearer ${key}`);
  expect(asked[0]?.body).toMatchObject({
    model: "small",
    response_format: { type: "json_schema", json_schema: { strict: true } },
  });
  expect(JSON.stringify(runner.messages)).not.toContain(key);
  expect(runner.stderr()).not.toContain(key);
});

test("an answer of another form is no guess, opens its breaker alone, and changes nothing", async () => {
  reply = () => "I think it is a lovely book!";
  await start(3, {
    ...configured(),
    TOMEKEEPER_FETCH__BREAKER__FAILURES: "1",
    TOMEKEEPER_FETCH__BREAKER__OPEN_SECONDS: "60",
  });
  runner.publish("fetch", {});
  const breaker = await runner.state<{
    readonly state: string;
    readonly last_error: { readonly message: string };
  }>("breaker/ai", ({ state }) => state === "open");
  expect(breaker.last_error.message).toMatch(/form that is not understood/);
  expect(await firstBook()).toMatchObject({ state: "needs_review", authors: [] });
});

test("is off by default, and one that is configured badly says so and keeps nothing else from its work", async () => {
  await start(1, { TOMEKEEPER_PLUGINS__AI: JSON.stringify({ base_url: url }) });
  const info = await runner.state<{ readonly plugins: readonly { readonly name: string }[] }>("info");
  expect(info.plugins).toContainEqual(
    expect.objectContaining({ name: "ai", state: "failed", error: expect.stringMatching(/model/) }),
  );
  expect(info.plugins).toContainEqual({ name: "open-library", state: "running", error: null });
  expect(asked).toEqual([]);
});
