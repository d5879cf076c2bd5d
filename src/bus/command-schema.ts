import { z } from "zod";
import type { bookFields } from "../domain/compose.ts";
import { priorities } from "../domain/operation.ts";

/* What commands are made of; the table of them is in topics.ts. */

const transaction = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "1 to 64 of A-Z a-z 0-9 _ . : -")
  .describe("echoed in every answer; the same one within 24 hours is answered again and does nothing twice");

/** The transaction, if this is a valid one. */
export function asTransaction(value: unknown): string | null {
  const parsed = transaction.safeParse(value);
  return parsed.success ? parsed.data : null;
}

const priority = z.enum(priorities);

/** Keys that every command takes. */
export const everyCommand = {
  transaction: transaction.optional(),
  priority: priority.default("normal").describe("of the operations it starts"),
};

/** For work that can wait for what somebody waits for. */
export const lowPriority = priority.default("low").describe("of the operation; `low` unless asked otherwise");

export const id = z.string().min(1).max(64);
export const bookIds = z.array(id).min(1).max(10_000);
export const searched = z.string().max(500);
export const folderPath = z.string().max(4_096);
export const limit = z.int().min(1).max(200).default(50);
export const offset = z.int().min(0).default(0);
export const started = z.strictObject({ operation_id: id, operation_ids: z.array(id) });
const text = z.string().max(1_000).nullable();
const names = z.array(z.string().min(1).max(500)).max(200);

/** A user's correction of a book. */
export const bookFieldsInput = z
  .strictObject({
    title: text,
    subtitle: text,
    authors: names,
    narrators: names,
    series: z
      .array(
        z.strictObject({
          name: z.string().min(1).max(500),
          position: z.string().max(50).nullable().default(null).describe('text: `"0.5"`, `"1-3"`, `"1a"`'),
        }),
      )
      .max(50),
    year: z.int().min(0).max(9999).nullable(),
    publisher: text,
    language: text,
    description: z.string().max(50_000).nullable(),
    genres: names,
    asin: text,
    isbn: text,
    explicit: z.boolean().nullable(),
    abridged: z.boolean().nullable(),
  } satisfies Record<(typeof bookFields)[number], z.ZodType>)
  .partial()
  .refine((given) => Object.keys(given).length > 0, "names no field");

/**
 * `reads`: changes nothing, so its answers need no durable record. `acts`: does its work before it answers.
 * `starts`: starts operations; accepted first, a second answer when all of them have ended. `starts_or_reads`: the one
 * or the other, by its keys.
 */
type Manner = "reads" | "acts" | "starts" | "starts_or_reads";

export interface CommandEntry<M extends Manner, Input extends z.ZodRawShape, Result extends z.ZodType> {
  readonly input: z.ZodObject<Input & typeof everyCommand>;
  /** `data` of the answer with status `ok`; for a command that starts operations, of `accepted`. */
  readonly result: Result;
  readonly manner: M;
  readonly description: string;
}

/** `apart`: keys of which only one may be given. */
export function command<M extends Manner, Input extends z.ZodRawShape, Result extends z.ZodType>(
  manner: M,
  description: string,
  input: Input,
  result: Result,
  apart: readonly (keyof Input & string)[] = [],
): CommandEntry<M, Input, Result> {
  // What a command says of a common key stands above what is common.
  const taken = z.strictObject({ ...everyCommand, ...input });
  const together = `${apart.join(" and ")} exclude each other`;
  const isOne = (given: object) => apart.filter((key) => Object.hasOwn(given, key)).length <= 1;
  return { manner, description, input: taken.refine(isOne, together), result };
}
