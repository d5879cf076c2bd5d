import { z } from "zod";
import { everyCommand } from "./command-schema.ts";
import { batchShape, planShape } from "./organize-payloads.ts";
import { bookShape, bookSummaryShape, errorShape, eventTypes, operationShape } from "./payloads.ts";
import { commands, otherTopics, stateTopics } from "./topics.ts";

/** The reference page of topics and commands, in Markdown, made from the table. */
export function topicReference(): string {
  const sections = [
    intro,
    "## State",
    "Retained, QoS 1, JSON. Every payload also carries `ts`, `boot_id` and `seq`.",
    ...Object.values(stateTopics).map(stateSection),
    "## Other topics",
    otherSection(),
    "## Commands",
    commandsIntro,
    ...Object.entries(commands).map(([name, command]) => commandSection(name, command)),
    "## Types",
    ...[bookSummaryShape, bookShape, planShape, batchShape, operationShape, errorShape].map(typeSection),
  ];
  return `${sections.join("\n\n")}\n`;
}

const intro = `# Topics and commands

<!-- Made from src/bus/topics.ts by \`npm run generate\`: change it there. -->

\`<base>\` is \`tomekeeper/<node>\`; the node is \`main\` unless configured. Keys may be added to a payload, none
is renamed or removed.`;

const commandsIntro = `Published to \`<base>/cmd/<command>\` with QoS 1, **without** the retain flag: a retained command is never
executed. The payload is a JSON object of up to 256 KiB, \`{}\` for the defaults; an empty payload is ignored.
Unknown keys are refused. Every command also takes:

${keyTable(z.strictObject(everyCommand), "input")}

The answer comes on \`<base>/response/<command>\`, and with MQTT 5 also on the request's Response Topic where that
lies below \`tomekeeper/\` and is none of a runner's own, with its Correlation Data. A command that starts
operations is answered twice: \`accepted\` with the operations' ids, and when all of them have ended \`ok\`, or
\`error\`, with \`data\` {operation_id, operation_ids, state, summary}. \`organize\` with \`dry_run\` starts none, and is
answered once.`;

function stateSection(topic: (typeof stateTopics)[keyof typeof stateTopics]): string {
  const pace =
    topic.pace.kind === "at_once"
      ? "Published at once on every change."
      : "Published on change, at most once a second; a change of what matters at once.";
  const expiry =
    topic.expirySeconds === null ? "" : ` An MQTT 5 broker forgets it after ${topic.expirySeconds} s.`;
  const { ts: _ts, boot_id: _bootId, seq: _seq, ...own } = topic.payload.shape;
  return `### \`<base>/${topic.path}\`\n\n${topic.description} ${pace}${expiry}\n\n${keyTable(z.strictObject(own), "output")}`;
}

function otherSection(): string {
  const rows = Object.values(otherTopics).map(({ path, retained, qos, direction, description }) => [
    code(`<base>/${path}`),
    direction === "out" ? "runner → you" : "you → runner",
    retained ? "yes" : "no",
    String(qos),
    description,
  ]);
  const list = eventTypes.map(code).join(", ");
  return `${table(["topic", "direction", "retained", "QoS", ""], rows)}\n\nEvent types: ${list}.\n\nAn answer:\n\n${keyTable(otherTopics.response.payload, "output")}`;
}

function commandSection(name: string, command: (typeof commands)[keyof typeof commands]): string {
  const { transaction: _transaction, priority, ...others } = command.input.shape;
  const own = priority === everyCommand.priority ? others : { ...others, priority };
  const keys = Object.keys(own).length === 0 ? "No keys." : keyTable(z.strictObject(own), "input");
  const which = command.manner.startsWith("starts") ? "the first answer" : "the answer";
  const results = command.result instanceof z.ZodUnion ? command.result.options : [command.result];
  const data = results.map(resultText).join("\n\nWhere the command only looks, `data`");
  return `### \`${name}\`\n\n${command.description}\n\n${keys}\n\n\`data\` of ${which}${data}`;
}

function resultText(result: z.ZodType): string {
  const { title } = schemaOf(result, "output");
  return title === undefined ? `:\n\n${keyTable(result, "output")}` : ` is a \`${title}\`.`;
}

function typeSection(type: z.ZodType): string {
  return `### \`${schemaOf(type, "output").title}\`\n\n${keyTable(type, "output")}`;
}

type Schema = z.core.JSONSchema.BaseSchema;

function schemaOf(type: z.ZodType, io: "input" | "output"): Schema {
  return z.toJSONSchema(type, { io, unrepresentable: "any" });
}

function keyTable(object: z.ZodType, io: "input" | "output"): string {
  const schema = schemaOf(object, io);
  const required = new Set(schema.required);
  const isInput = io === "input";
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const property = asSchema(value);
    const needed = required.has(key) ? "required" : "";
    const fallback = property.default === undefined ? needed : code(JSON.stringify(property.default));
    return [code(key), code(typeText(property)), ...(isInput ? [fallback] : []), property.description ?? ""];
  });
  return table(["key", "type", ...(isInput ? ["default"] : []), ""], rows);
}

/** A type on one line: `"a" | "b"`, `{x: integer}[]`, `time | null`. */
function typeText(schema: Schema): string {
  if (schema.title !== undefined) return schema.title;
  if (Array.isArray(schema.type)) return schema.type.join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => typeText(asSchema(one))).join(" | ");
  switch (schema.type) {
    case "array": {
      const item = typeText(asSchema(schema.items));
      return item.includes(" | ") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return objectText(schema);
    case "string":
      return schema.format === "date-time" ? "time" : "string";
    case "integer":
    case "number":
    case "boolean":
    case "null":
      return schema.type;
    default:
      return "any";
  }
}

function objectText(schema: Schema): string {
  const required = new Set(schema.required);
  const keys = Object.entries(schema.properties ?? {}).map(
    ([key, value]) => `${key}${required.has(key) ? "" : "?"}: ${typeText(asSchema(value))}`,
  );
  if (keys.length > 0) return `{${keys.join(", ")}}`;
  return `{<key>: ${typeText(asSchema(schema.additionalProperties))}}`;
}

function asSchema(value: unknown): Schema {
  return typeof value === "object" && value !== null ? (value as Schema) : {};
}

function code(text: string): string {
  return `\`${text}\``;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
