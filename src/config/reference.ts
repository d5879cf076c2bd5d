import { variableName } from "./environment.ts";
import { allowedText } from "./problems.ts";
import { bare, configJsonSchema, kindOf, listSettings, type Setting } from "./settings.ts";

/** The reference page of all settings, in Markdown. */
export function configReference(): string {
  const settings = listSettings();
  return `${head}${settings.map(row).join("\n")}\n`;
}

/** The JSON Schema of the file, for editors: name it in the first line, `# yaml-language-server: $schema=…`. */
export function configSchemaText(): string {
  const text = JSON.stringify(configJsonSchema(), null, 2);
  // Short lists on one line, as the formatter of this repository has them.
  return `${text.replace(/\[\n\s+("[^\]]*")\n\s+\]/g, (_, items: string) => `[${items.replace(/\n\s+/g, " ")}]`)}\n`;
}

const head = `# Configuration

<!-- Generated from src/config/schema.ts by \`npm run generate\`. -->

Settings come from four sources, each over the one before: the defaults, the file, the environment, flags.
Lists are replaced whole. \`tomekeeper config check\` says everything that is wrong, with file and line;
\`tomekeeper config print\` shows what is in force and where it was said; \`tomekeeper config schema\` prints
the JSON Schema ([config.schema.json](config.schema.json)), which editors use to complete and check the file.

The file is the one named by \`--config\` (or \`TOMEKEEPER_CONFIG\`), else \`tomekeeper.yaml\` in the current
folder, else \`tomekeeper.yaml\` in the data folder (\`--data\`, \`TOMEKEEPER_DATA_DIR\` or its default). Relative
paths in it start at its own folder, those of variables and flags at the current one; \`~/\` is the home folder.

\`\`\`yaml
roots:
  - path: /media/audiobooks
  - path: /downloads/audiobooks
    kind: inbox
mqtt:
  url: mqtt://homeassistant.local:1883
  username: tomekeeper
  password_file: /run/secrets/mqtt_password
\`\`\`

In the environment a setting is \`TOMEKEEPER_\` and its path in capitals, joined by two underscores:
\`TOMEKEEPER_SCAN__CONCURRENCY=2\`. A list is JSON in one line:
\`TOMEKEEPER_ROOTS='[{"path": "/media/audiobooks"}]'\`. The name of a source or a plugin is written with \`_\`
for \`-\`: \`TOMEKEEPER_SOURCES__OPEN_LIBRARY__TOKEN\`. An empty variable counts as not set.

A secret can be read from a file: \`password_file\`, \`token_file\`, and the same for a plugin's own secrets.
Secrets appear in no log, no topic and no output of \`config print\`.

A key that does not exist or a value that is not allowed stops the start with exit code 2. Only a concurrency
below 1 is corrected, to 1, with a warning. "Live" settings take effect with the \`reload\` command, the others
at the next start.

| key | allowed | default | variable | |
|---|---|---|---|---|
`;

function row(setting: Setting): string {
  const { path, node } = setting;
  const variable = path.includes("[]") ? "" : `\`${variableName(path)}\``;
  const cells = [`\`${path}\``, allowed(setting), defaultText(setting), variable, description(node)];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function allowed({ node }: Setting): string {
  const kind = kindOf(node);
  if (kind === "text" && node["x-allowed"] === undefined) {
    return bare(node).enum === undefined ? (node["x-path"] ? "path" : "text") : allowedText(node);
  }
  return kind === "table" ? "names with keys below" : allowedText(node);
}

function defaultText({ node }: Setting): string {
  const value = node.default;
  return value === undefined || value === null
    ? ""
    : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

function description(node: Setting["node"]): string {
  const marks = [node["x-secret"] ? "Secret." : "", node["x-live"] ? "Live." : ""].filter(Boolean);
  return [node.description ?? "", ...marks].join(" ");
}
