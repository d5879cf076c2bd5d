import { readFileSync } from "node:fs";
import path from "node:path";
import { Ajv, type Options } from "ajv";
import addFormats from "ajv-formats";
import { expect, test } from "vitest";
import { asyncApi } from "../../src/bus/asyncapi.ts";
import { topicReference } from "../../src/bus/reference.ts";
import { commands, stateTopics } from "../../src/bus/topics.ts";

const file = path.resolve(import.meta.dirname, "../../docs/reference/topics.md");

test("the reference page is what the table says (npm run generate makes it again)", () => {
  expect(readFileSync(file, "utf8")).toBe(topicReference());
});

test("the reference page names every topic, every command and every key", () => {
  const page = topicReference();
  for (const topic of Object.values(stateTopics)) {
    expect(page).toContain(`<base>/${topic.path}`);
    for (const key of Object.keys(topic.payload.shape)) expect(page).toContain(`\`${key}\``);
  }
  for (const [name, command] of Object.entries(commands)) {
    expect(page).toContain(`### \`${name}\``);
    for (const key of Object.keys(command.input.shape)) expect(page).toContain(`\`${key}\``);
  }
});

/** The specification's own schema; it is JSON Schema draft 7. */
const specification = JSON.parse(
  readFileSync(new URL(import.meta.resolve("@asyncapi/specs/schemas/3.0.0.json")), "utf8"),
);

function ajv(options: Options = {}): Ajv {
  const made = new Ajv({ strict: false, allErrors: true, ...options });
  addFormats.default(made);
  return made;
}

test("the AsyncAPI document is what the table says, and valid", () => {
  const text = asyncApi();
  expect(readFileSync(path.resolve(file, "../asyncapi.json"), "utf8")).toBe(text);
  const document = JSON.parse(text);
  // It brings the schema of schemas itself.
  const validate = ajv({ meta: false, validateSchema: false }).compile(specification);
  validate(document);
  expect(validate.errors).toBeNull();
  expect(validate({ ...document, channels: { scan: { address: 7 } } })).toBe(false);
  // Whatever it refers to is there.
  for (const [, reference = ""] of text.matchAll(/"\$ref": "#\/([^"]+)"/g)) {
    const found = reference.split("/").reduce((node, key) => node?.[key], document);
    expect(found, reference).toBeDefined();
  }
});

test("the AsyncAPI document has all topics and commands, and payloads that messages can be checked with", () => {
  const { channels, components, operations } = JSON.parse(asyncApi());
  const addresses = Object.values<{ readonly address: string }>(channels).map(({ address }) => address);
  for (const { path: topic } of Object.values(stateTopics))
    expect(addresses).toContain(`tomekeeper/{node}/${topic.replace("<source>", "{source}")}`);
  for (const name of Object.keys(commands)) {
    expect(addresses).toContain(`tomekeeper/{node}/cmd/${name}`);
    expect(operations[`hear_${name}`]).toMatchObject({ action: "receive", reply: expect.anything() });
  }
  const scan = ajv().compile(components.messages.cmd_scan.payload);
  expect([scan({ path: "Author" }), scan({ path: 1 }), scan({ nobody: true })]).toEqual([true, false, false]);
});
