import type { Dispatcher } from "undici";
import { AppError, systemCode } from "../errors.ts";
import { type HostRules, isExcepted, lookupPublic, refuseAddress, refused } from "./addresses.ts";

export interface HttpOptions extends HostRules {
  /** Who asks, with an address at which its people can be reached. */
  readonly userAgent: string;
  /** Milliseconds for the whole of an answer, redirects included. */
  readonly timeoutMs: number;
}

interface HttpAnswer {
  readonly status: number;
  /** Lower-case media type without parameters; `""` where none is given. */
  readonly type: string;
  readonly body: Buffer;
}

interface HttpRequest {
  readonly signal: AbortSignal;
  readonly accept: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON to be posted; without it the address is got. */
  readonly post?: unknown;
  /** Milliseconds, instead of the usual limit. */
  readonly timeoutMs?: number;
}

/** Gets things from the internet: bounded in time and size, over https, and from nowhere inside. */
export interface Http {
  /**
   * The answer with status 200 or 404. Throws `address_refused`, `rate_limited` (429, with `retry_after_ms` among its
   * details where it was said), `answer_invalid` (too large, too many redirects, any other status below 500) and
   * `source_unavailable` (5xx, no connection, no answer in time).
   */
  fetch(url: URL, asked: HttpRequest): Promise<HttpAnswer>;
  close(): Promise<void>;
}

/** safety.md: downloads are at most 10 MB and 10 s. */
const mostBytes = 10 * 1024 * 1024;
const mostRedirects = 5;

export function createHttp(options: HttpOptions): Http {
  /** Loaded with the first request: it takes 27 MB, and many a runner never sends one. */
  let client: ReturnType<typeof openClient> | null = null;

  async function follow(first: URL, asked: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    let url = first;
    for (let hop = 0; hop <= mostRedirects; hop++) {
      refuseAddress(url, options);
      const answer = await send(url, asked, signal);
      const location = header(answer, "location");
      if (answer.statusCode < 300 || answer.statusCode > 399 || location === null) {
        return await read(url, answer);
      }
      await answer.body.dump();
      const next = parseLocation(location, url);
      // What was meant for one host, a key perhaps, is not for another.
      const hasHeaders = Object.keys(asked.headers ?? {}).length > 0;
      if (asked.post !== undefined || (hasHeaders && next.origin !== url.origin)) {
        throw refused(next, `${url.host} redirects there, and what was sent is meant for ${url.host} alone`);
      }
      url = next;
    }
    throw new AppError("answer_invalid", `${first.host} answers with more than ${mostRedirects} redirects`);
  }

  async function send(url: URL, asked: HttpRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    client ??= openClient(options.timeoutMs);
    const { request, inside, outside } = await client;
    const isPost = asked.post !== undefined;
    return await request(url, {
      method: isPost ? "POST" : "GET",
      dispatcher: isExcepted(url, options) ? inside : outside,
      signal,
      headers: {
        "user-agent": options.userAgent,
        accept: asked.accept,
        ...(isPost ? { "content-type": "application/json" } : {}),
        ...asked.headers,
      },
      ...(isPost ? { body: JSON.stringify(asked.post) } : {}),
    });
  }

  return {
    fetch: async (url, asked) => {
      const limitMs = asked.timeoutMs ?? options.timeoutMs;
      const timeout = AbortSignal.timeout(limitMs);
      try {
        return await follow(url, asked, AbortSignal.any([asked.signal, timeout]));
      } catch (error) {
        if (asked.signal.aborted) throw asked.signal.reason;
        if (timeout.aborted) throw unavailable(url, `gave no whole answer within ${limitMs / 1000} s`, error);
        if (error instanceof AppError) throw error;
        const cause = error instanceof Error && error.cause instanceof AppError ? error.cause : null;
        if (cause !== null) throw cause;
        throw unavailable(url, `cannot be reached (${systemCode(error) ?? messageOf(error)})`, error);
      }
    },
    close: async () => {
      const opened = await client;
      await Promise.all([opened?.outside.destroy(), opened?.inside.destroy()]);
    },
  };
}

async function openClient(timeoutMs: number) {
  const { Agent, request } = await import("undici");
  const common = { allowH2: false, connectTimeout: timeoutMs, bodyTimeout: timeoutMs } as const;
  return {
    request,
    // The usual resolver is for hosts that the configuration names, and for nobody else.
    outside: new Agent({ ...common, connect: { lookup: lookupPublic } }),
    inside: new Agent(common),
  };
}

async function read(url: URL, answer: Dispatcher.ResponseData): Promise<HttpAnswer> {
  const { statusCode: status, body } = answer;
  if (status !== 200) {
    await body.dump();
    if (status !== 404) throw statusError(url, status, retryAfterMs(header(answer, "retry-after")));
  }
  const type = (header(answer, "content-type") ?? "").split(";", 1).join("").trim().toLowerCase();
  if (status === 404) return { status, type, body: Buffer.alloc(0) };
  const announced = Number(header(answer, "content-length") ?? 0);
  if (announced > mostBytes) throw tooLarge(url, body);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) throw tooLarge(url, body);
    chunks.push(chunk);
  }
  return { status, type, body: Buffer.concat(chunks) };
}

function statusError(url: URL, status: number, waitMs: number | null): AppError {
  const details = { status, ...(waitMs === null ? {} : { retry_after_ms: waitMs }) };
  if (status === 429) {
    return new AppError("rate_limited", `${url.host} asks for fewer requests (429)`, {
      retryable: true,
      details,
    });
  }
  if (status >= 500) {
    return new AppError("source_unavailable", `${url.host} answers ${status}`, { retryable: true, details });
  }
  return new AppError("answer_invalid", `${url.host} answers ${status}`, { details });
}

/** RFC 9110: seconds, or a date. */
function retryAfterMs(text: string | null): number | null {
  if (text === null) return null;
  const ms = /^\d+$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

function parseLocation(location: string, from: URL): URL {
  const url = URL.parse(location, from.href);
  if (url === null) throw refused(from, "it redirects to something that is no address");
  return url;
}

function header({ headers }: Dispatcher.ResponseData, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function tooLarge(url: URL, body: Dispatcher.ResponseData["body"]): AppError {
  body.destroy();
  return new AppError("answer_invalid", `${url.host} answers with more than ${mostBytes / 1024 / 1024} MB`);
}

function unavailable(url: URL, what: string, cause: unknown): AppError {
  return new AppError("source_unavailable", `${url.host} ${what}`, { retryable: true, cause });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
