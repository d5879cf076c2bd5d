import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { asyncApi } from "../../src/bus/asyncapi.ts";
import { topicReference } from "../../src/bus/reference.ts";
import { configReference, configSchemaText } from "../../src/config/reference.ts";

/** Every file that is made from code. `npm run generate` writes them, `npm run check` compares. */
const generated: Readonly<Record<string, () => string>> = {
  "docs/reference/topics.md": topicReference,
  "docs/reference/asyncapi.json": asyncApi,
  "docs/reference/configuration.md": configReference,
  "docs/reference/config.schema.json": configSchemaText,
};

const isWriting = process.argv.includes("--write");
let stale = 0;
for (const [file, make] of Object.entries(generated)) {
  const text = make();
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  if (isWriting) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`written: ${file}`);
  } else {
    stale++;
    console.error(`stale: ${file}; \`npm run generate\` makes it anew`);
  }
}
if (stale > 0) process.exit(1);
if (!isWriting) console.log("generated files: fresh");
