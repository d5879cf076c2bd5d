import type { z } from "zod";
import type { Priority } from "../domain/operation.ts";
import { AppError } from "../errors.ts";
import { asTransaction } from "./command-schema.ts";
import { type CommandName, commands, isCommandName } from "./topics.ts";

/** Larger payloads are refused before they are looked into. */
export const maxPayloadBytes = 256 * 1024;

/** A command with a payload that fits it. */
export type GoodRequest = Request & { readonly ok: true };

/** A command's payload, read. */
type Request =
  | {
      readonly ok: true;
      readonly command: CommandName;
      readonly transaction: string | null;
      readonly priority: Priority;
      readonly input: Readonly<Record<string, unknown>>;
    }
  | { readonly ok: false; readonly transaction: string | null; readonly error: AppError };

/** Reads and checks what arrived on `cmd/<name>`. Throws nothing: what is wrong is in the answer. */
export function readRequest(name: string, payload: Buffer): Request {
  if (payload.length > maxPayloadBytes) {
    const message = `The payload has ${payload.length} bytes; a command takes up to ${maxPayloadBytes}`;
    return refused(null, new AppError("payload_too_large", message, { details: { limit: maxPayloadBytes } }));
  }
  const value = parseJson(payload);
  const transaction = transactionOf(value);
  if (!isCommandName(name)) {
    const message = `There is no command "${name}"; there are ${Object.keys(commands).join(", ")}`;
    return refused(transaction, new AppError("unknown_command", message));
  }
  if (value instanceof AppError) return refused(null, value);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = "The payload is not a JSON object: send {} for the defaults";
    return refused(null, new AppError("invalid_payload", message));
  }
  const parsed = commands[name].input.safeParse(value);
  if (parsed.success)
    return { ok: true, command: name, transaction, priority: parsed.data.priority, input: parsed.data };
  return refused(transaction, invalidPayload(name, parsed.error.issues));
}

/** The value, or what is wrong with the text. */
function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return new AppError("invalid_json", `The payload is not JSON: ${why}`, { cause: error });
  }
}

function transactionOf(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "transaction")) return null;
  return asTransaction("transaction" in value ? value.transaction : null);
}

function refused(transaction: string | null, error: AppError): Request {
  return { ok: false, transaction, error };
}

interface Problem {
  /** Keys joined by dots; empty for the payload itself. */
  readonly path: string;
  readonly message: string;
}

const mostProblems = 20;

function invalidPayload(command: CommandName, issues: readonly z.core.$ZodIssue[]): AppError {
  const problems = issues.flatMap((issue) => problemsOf(command, issue)).slice(0, mostProblems);
  const list = problems
    .map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
    .join("; ");
  return new AppError("invalid_payload", `The payload of ${command} cannot be used: ${list}`, {
    details: { problems },
  });
}

function problemsOf(command: CommandName, issue: z.core.$ZodIssue): readonly Problem[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ path: shown(issue.path.join(".")), message: issue.message }];
  }
  const known =
    issue.path.length === 0
      ? `; ${command} knows ${Object.keys(commands[command].input.shape).join(", ")}`
      : "";
  return issue.keys.map((key) => ({
    path: shown([...issue.path, key].join(".")),
    message: `unknown key${known}`,
  }));
}

/** A key comes from outside and may be as long as the payload. */
function shown(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
