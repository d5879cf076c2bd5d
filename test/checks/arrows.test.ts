import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findViolations } from "./arrows.ts";

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), "tomekeeper-arrows-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(file: string, text: string): void {
  mkdirSync(path.join(dir, path.dirname(file)), { recursive: true });
  writeFileSync(path.join(dir, file), text);
}

test("lets an area import what lies below it", () => {
  write("src/app.ts", 'import { openStore } from "./store/open.ts";');
  write("src/store/open.ts", 'import type { Book } from "../domain/book.ts";');
  write("src/domain/book.ts", "export interface Book {}");
  expect(findViolations(dir)).toEqual([]);
});

test("reports an import between two areas of the middle row, a type import too", () => {
  write("src/bus/commands.ts", 'import type {\n  Queue,\n} from "../queue/queue.ts";');
  write("src/queue/queue.ts", "export interface Queue {}");
  expect(findViolations(dir).map((violation) => violation.message)).toEqual([
    "src/bus/commands.ts imports src/queue/queue.ts: bus may not know queue",
  ]);
});

test("reports an upward import, a dynamic and a re-exporting one too", () => {
  write("src/domain/a.ts", 'export { x } from "../store/b.ts";\nconst y = await import("../app.ts");');
  expect(findViolations(dir)).toHaveLength(2);
});

test("lets a plugin know the plugins' port alone, and their list all of them", () => {
  write("plugins/index.ts", 'import { a } from "./a/a.ts";\nimport type { Plugin } from "../src/plugin.ts";');
  write("plugins/a/a.ts", 'import type { Plugin } from "../../src/plugin.ts";');
  write("plugins/b/b.ts", 'import "../../src/domain/book.ts";\nimport "../a/a.ts";');
  expect(findViolations(dir).map((violation) => violation.message)).toEqual([
    "plugins/b/b.ts imports src/domain/book.ts: plugins/b may not know domain",
    "plugins/b/b.ts imports plugins/a/a.ts: plugins/b may not know plugins/a",
  ]);
});
