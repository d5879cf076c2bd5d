import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { configReference, configSchemaText } from "../../src/config/reference.ts";
import { configJsonSchema, listSettings } from "../../src/config/settings.ts";

const docs = path.join(import.meta.dirname, "../../docs/reference");
const stale = "is stale: npm run generate";

test("the reference page is the one that the schema makes", () => {
  expect(readFileSync(path.join(docs, "configuration.md"), "utf8") === configReference(), stale).toBe(true);
});

test("the JSON Schema file is the one that the schema makes", () => {
  expect(readFileSync(path.join(docs, "config.schema.json"), "utf8") === configSchemaText(), stale).toBe(
    true,
  );
});

test("every setting says what it is", () => {
  const silent = listSettings().filter(({ node }) => !node.description?.endsWith("."));
  expect(silent.map(({ path: setting }) => setting)).toEqual([]);
});

test("every number has a least and a most", () => {
  const open = listSettings().filter(({ node }) => {
    const inner = node.anyOf?.[0] ?? node;
    const isNumber = inner.type === "integer" || inner.type === "number";
    return isNumber && (inner.minimum === undefined || inner.maximum === undefined);
  });
  expect(open.map(({ path: setting }) => setting)).toEqual([]);
});

test("every password, token and key is marked as a secret", () => {
  const bare = listSettings().filter(({ path: setting, node }) => {
    return /(password|token)$/.test(setting) && node["x-secret"] !== true;
  });
  expect(bare.map(({ path: setting }) => setting)).toEqual([]);
  expect(configJsonSchema().properties?.["mqtt"]?.properties?.["password"]?.["x-secret"]).toBe(true);
});
