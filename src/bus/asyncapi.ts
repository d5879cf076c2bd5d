import { z } from "zod";
import { version } from "../version.ts";
import { commands, otherTopics, stateTopics } from "./topics.ts";

type Json = Readonly<Record<string, unknown>>;

/** The contract as an AsyncAPI 3 document, in JSON, made from the table: for whoever makes clients or checks messages. */
export function asyncApi(): string {
  const states = Object.entries(stateTopics).map(([key, topic]) =>
    said(key, topic.path, topic.description, topic.payload, { qos: 1, retain: true }),
  );
  const { availability, event, log, response } = otherTopics;
  const others = Object.entries({ availability, event, log }).map(([key, topic]) =>
    said(key, topic.path, topic.description, topic.payload, { qos: topic.qos, retain: topic.retained }),
  );
  const asked = Object.entries(commands).map(([name, command]) => {
    const answer = response.payload.extend({ data: command.result.nullable() });
    return heard(name, command.description, command.input, answer);
  });
  const parts = [...states, ...others, ...asked];
  const document = {
    asyncapi: "3.0.0",
    info: {
      title: "Tomekeeper",
      version,
      description:
        "What the runner says and hears on the MQTT bus. Keys may be added to a payload, none is renamed or removed.",
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    channels: Object.assign({}, ...parts.map(({ channels }) => channels)),
    operations: Object.assign({}, ...parts.map(({ operations }) => operations)),
    components: { messages: Object.assign({}, ...parts.map(({ messages }) => messages)) },
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

interface Part {
  readonly channels: Json;
  readonly operations: Json;
  readonly messages: Json;
}

interface Manner {
  readonly qos: number;
  readonly retain: boolean;
}

/** A topic that the runner publishes. */
function said(key: string, path: string, description: string, payload: z.ZodType, manner: Manner): Part {
  return {
    channels: { [key]: channel(path.replaceAll(/<(\w+)>/g, "{$1}"), description, [key]) },
    operations: {
      [`say_${key}`]: operation("send", key, description, [key], manner),
    },
    messages: { [key]: message(key, payload, "output") },
  };
}

/** A command, and the topic that its answers come on. */
function heard(name: string, description: string, input: z.ZodType, answer: z.ZodType): Part {
  const [asked, answered] = [`cmd_${name}`, `response_${name}`];
  const manner = { qos: 1, retain: false };
  return {
    channels: {
      [asked]: channel(`cmd/${name}`, description, [asked]),
      [answered]: channel(`response/${name}`, `The answers to \`${name}\`.`, [answered]),
    },
    operations: {
      [`hear_${name}`]: {
        ...operation("receive", asked, description, [asked], manner),
        reply: {
          channel: reference("channels", answered),
          messages: [reference("channels", answered, "messages", answered)],
        },
      },
    },
    messages: { [asked]: message(asked, input, "input"), [answered]: message(answered, answer, "output") },
  };
}

function channel(path: string, description: string, messages: readonly string[]): Json {
  const address = `tomekeeper/{node}/${path}`;
  const names = [...address.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  return {
    address,
    description,
    parameters: Object.fromEntries(names.map((name) => [name, parameters[name] ?? { description: name }])),
    messages: Object.fromEntries(messages.map((name) => [name, reference("components", "messages", name)])),
  };
}

const parameters: Readonly<Record<string, Json>> = {
  node: { description: "The runner's name on the bus.", default: "main" },
  source: { description: "The name of a source of metadata." },
};

function operation(
  action: "send" | "receive",
  channelKey: string,
  summary: string,
  messages: readonly string[],
  manner: Manner,
): Json {
  return {
    action,
    channel: reference("channels", channelKey),
    summary,
    messages: messages.map((name) => reference("channels", channelKey, "messages", name)),
    bindings: { mqtt: { ...manner, bindingVersion: "0.2.0" } },
  };
}

function message(name: string, payload: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _schema, ...schema } = z.toJSONSchema(payload, {
    target: "draft-7",
    io,
    unrepresentable: "any",
    reused: "inline",
  });
  const isText = schema["type"] === "string";
  return { name, contentType: isText ? "text/plain" : "application/json", payload: schema };
}

function reference(...path: readonly string[]): Json {
  return { $ref: `#/${path.join("/")}` };
}
