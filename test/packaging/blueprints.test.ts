import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { components } from "../../plugins/home-assistant/components.ts";
import { eventTypes } from "../../src/bus/payloads.ts";
import { commands } from "../../src/bus/topics.ts";

const folder = path.resolve(import.meta.dirname, "../../blueprints/automation/tomekeeper");
const files = readdirSync(folder);

/** `!input name` as it stands in a blueprint. */
class Input {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
const inputTag = { tag: "!input", resolve: (name: string) => new Input(name) };

/** https://www.home-assistant.io/docs/blueprint/schema and /docs/blueprint/selectors */
const selector = z
  .partialRecord(
    z.enum([
      "action",
      "boolean",
      "device",
      "entity",
      "number",
      "select",
      "target",
      "text",
      "time",
      "trigger",
    ]),
    z.record(z.string(), z.unknown()),
  )
  .refine((value) => Object.keys(value).length === 1, "one selector");
const blueprint = z.strictObject({
  name: z.string().startsWith("Tomekeeper: "),
  description: z.string().min(20),
  domain: z.literal("automation"),
  author: z.string(),
  homeassistant: z.strictObject({ min_version: z.string().regex(/^\d{4}\.\d+\.\d+$/) }),
  source_url: z.url(),
  input: z.record(
    z.string().regex(/^[a-z_]+$/),
    z.strictObject({
      name: z.string(),
      description: z.string().optional(),
      default: z.unknown().optional(),
      selector,
    }),
  ),
});
const isInput = z.instanceof(Input);
const step = z.looseObject({});
const automation = z.strictObject({
  blueprint,
  variables: z.record(z.string(), z.unknown()).optional(),
  triggers: z.union([isInput, z.array(z.looseObject({ trigger: z.string() })).min(1)]),
  conditions: z.array(z.looseObject({ condition: z.string() })).optional(),
  actions: z.union([isInput, z.array(step).min(1)]),
  mode: z.enum(["single", "restart", "queued", "parallel"]),
  max: z.int().optional(),
  max_exceeded: z.literal("silent").optional(),
});

function inputsIn(value: unknown): readonly string[] {
  if (value instanceof Input) return [value.name];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(inputsIn);
}

describe.each(files)("the blueprint %s", (name) => {
  const text = readFileSync(path.join(folder, name), "utf8");
  const parsed = parse(text, { customTags: [inputTag] });

  test("is one, by the hub's schema", () => {
    expect(automation.safeParse(parsed).error).toBeUndefined();
    expect(parsed.blueprint.source_url.endsWith(`/${name}`)).toBe(true);
  });

  test("uses what it asks for, and asks for what it uses", () => {
    const { blueprint: about, ...rest } = parsed;
    expect([...new Set(inputsIn(rest))].sort()).toEqual(Object.keys(about.input).sort());
  });

  test("knows only entities, events and commands that there are", () => {
    const platforms = new Set(
      Object.values(components({ sources: ["x"], runner: { node: "main", base: "b", httpUrl: null } })).map(
        ({ platform }) => platform,
      ),
    );
    for (const [, domain = ""] of text.matchAll(/domain: (button|switch|event|binary_sensor|sensor)\b/g))
      expect(platforms).toContain(domain);
    for (const [, event = ""] of text.matchAll(/event_type == '(\w+)'/g)) expect(eventTypes).toContain(event);
    for (const [, command = ""] of text.matchAll(/\/cmd\/(\w+)/g))
      expect(Object.keys(commands)).toContain(command);
  });
});

test("there is one for each thing that people automate", () => {
  expect(files).toEqual([
    "diagnostics_problem.yaml",
    "download_finished_scan.yaml",
    "inbox_arrival_organize.yaml",
    "nightly_verify.yaml",
    "quiet_hours_pause.yaml",
    "source_stopped_answering.yaml",
  ]);
});

test("the dashboard has core cards only, and entities that there are", () => {
  const dashboard = parse(
    readFileSync(path.resolve(folder, "../../../docs/home-assistant/dashboard.yaml"), "utf8"),
  );
  const made = Object.entries(
    components({ sources: ["audnexus", "open-library"], runner: { node: "main", base: "b", httpUrl: null } }),
  );
  const ids = new Set(made.map(([, { default_entity_id: id }]) => id));
  const core = [
    "button",
    "conditional",
    "entities",
    "gauge",
    "glance",
    "grid",
    "heading",
    "history-graph",
    "horizontal-stack",
    "logbook",
    "markdown",
    "tile",
    "vertical-stack",
  ];
  const types: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, each] of Object.entries(value)) {
      if (key === "cards" && Array.isArray(each)) types.push(...each.map(({ type }) => type));
      walk(each);
    }
  };
  walk(dashboard);
  expect(types.length).toBeGreaterThan(5);
  for (const type of types) expect(core).toContain(type);
  const named =
    JSON.stringify(dashboard).match(
      /\b(?:sensor|binary_sensor|button|switch|number|select|event)\.tomekeeper_\w+/g,
    ) ?? [];
  expect(named.length).toBeGreaterThan(15);
  for (const id of named) expect(ids).toContain(id);
});
