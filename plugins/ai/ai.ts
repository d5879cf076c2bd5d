import { z } from "zod";
import { type BookFields, type NameParser, normalizePosition, type ParserPlugin } from "../../src/plugin.ts";

/*
 * Reads names that no rule understands, with any endpoint that speaks OpenAI's chat completions with structured outputs
 * (https://platform.openai.com/docs/api-reference/chat, also Ollama, LM Studio, llama.cpp, vLLM). It is told folder and
 * file names, and nothing else.
 */

const settingsShape = z.strictObject({
  enabled: z.boolean().optional(),
  base_url: z.url({ protocol: /^https?$/ }).default("https://api.openai.com/v1"),
  model: z.string().min(1),
  api_key: z.string().min(1).nullable().default(null),
  api_key_file: z.string().nullable().default(null),
});

const guessShape = z.object({
  number: z.int(),
  title: z.string().nullable(),
  authors: z.array(z.string()),
  narrators: z.array(z.string()),
  series: z.string().nullable(),
  position: z.string().nullable(),
  year: z.int().nullable(),
});

const contentShape = z.object({ books: z.array(guessShape) });

const answerShape = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string() }) })).min(1),
});

const instruction = [
  "Each line is the number and the path of an audiobook's folder or file.",
  "Say for each number what the path says about the book: title, authors, narrators, series with the position in it, year.",
  "Use only what stands in the path. Give null or an empty list for what it does not say. Invent nothing.",
].join(" ");

export const ai: ParserPlugin = {
  kind: "parser",
  name: "ai",
  create: (given): NameParser => {
    const { base_url: baseUrl, model, api_key: key } = settingsShape.parse(given);
    const url = new URL(`${baseUrl.replace(/\/+$/, "")}/chat/completions`);
    const headers = key === null ? {} : { authorization: `Bearer ${key}` };
    return {
      name: "ai",
      version: model,
      most: 20,
      parse: async (names, call) => {
        const lines = names.map((name, index) => `${index + 1}: ${name.replace(/\s+/g, " ")}`);
        const answer = await call.postJson(url, requestOf(model, lines), headers);
        const [choice] = answerShape.parse(answer).choices;
        const { books } = contentShape.parse(JSON.parse(choice?.message.content ?? ""));
        const byNumber = new Map(books.map((book) => [book.number, book]));
        return names.map((_, index) => fieldsOf(byNumber.get(index + 1)));
      },
    };
  },
};

function requestOf(model: string, lines: readonly string[]): unknown {
  return {
    model,
    temperature: 0,
    messages: [
      { role: "system", content: instruction },
      { role: "user", content: lines.join("\n") },
    ],
    response_format: {
      type: "json_schema",
      json_schema: { name: "audiobooks", strict: true, schema: z.toJSONSchema(contentShape) },
    },
  };
}

/** Null where it has understood nothing. */
function fieldsOf(guess: z.output<typeof guessShape> | undefined): BookFields | null {
  if (guess === undefined) return null;
  const title = guess.title?.trim() ?? "";
  const series = guess.series?.trim() ?? "";
  const fields: BookFields = {
    ...(title === "" ? {} : { title }),
    ...namesOf("authors", guess.authors),
    ...namesOf("narrators", guess.narrators),
    ...(series === ""
      ? {}
      : { series: [{ name: series, position: normalizePosition(guess.position ?? "") }] }),
    ...(guess.year === null || guess.year < 1000 || guess.year > 9999 ? {} : { year: guess.year }),
  };
  return Object.keys(fields).length === 0 ? null : fields;
}

function namesOf(key: "authors" | "narrators", names: readonly string[]): BookFields {
  const said = names.map((name) => name.trim()).filter((name) => name !== "");
  return said.length === 0 ? {} : { [key]: said };
}
