import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
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
