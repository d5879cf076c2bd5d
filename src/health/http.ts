import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AppError } from "../errors.ts";

export interface HealthAnswer {
  /** `failing`: the runner cannot do its work; the broker's absence does not count. */
  readonly status: "ok" | "degraded" | "failing";
  readonly [fact: string]: unknown;
}

interface EndpointOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly health: () => HealthAnswer;
  /** In Prometheus' text format. */
  readonly metrics: () => Promise<string>;
  /** A book's cover by the book's id; null where there is none. Absent: no covers are shown. */
  readonly cover?:
    | ((bookId: string) => Promise<{ readonly type: string; readonly bytes: Uint8Array } | null>)
    | undefined;
}

export interface Endpoint {
  readonly port: number;
  stop(): Promise<void>;
}

/** What a request may take to be sent: there is nothing to be sent but its head. */
const requestLimitMs = 5_000;

/**
 * Answers `/health` (503 where it is failing), `/metrics` and `/covers/<book id>`, so that what watches over containers and what collects
 * figures need no broker. Throws `config_invalid` where it cannot listen.
 */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const server = createServer({ requestTimeout: requestLimitMs, headersTimeout: requestLimitMs });
  server.on("request", (request, response) => void answer(options, request, response));
  const { host, port } = options;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const message = `nothing can listen at http.host ${host}, http.port ${port}: ${cause.message}. Choose another port, or none`;
      reject(new AppError("config_invalid", message, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { health, metrics, cover }: EndpointOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("cache-control", "no-store");
  const [path] = (request.url ?? "").split("?");
  const [, bookId] = cover === undefined ? [] : (/^\/covers\/([\w-]{1,64})$/.exec(path ?? "") ?? []);
  if (path !== "/health" && path !== "/metrics" && bookId === undefined) {
    send(response, 404, "text/plain", "There is /health and /metrics\n");
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    send(response, 405, "text/plain", "GET or HEAD\n");
    return;
  }
  try {
    if (bookId !== undefined) {
      const picture = (await cover?.(bookId)) ?? null;
      // Whatever it is, it is looked at and never run.
      response.setHeader("x-content-type-options", "nosniff");
      if (picture === null) send(response, 404, "text/plain", "There is no cover\n");
      else send(response, 200, picture.type, picture.bytes);
      return;
    }
    if (path === "/metrics") {
      send(response, 200, "text/plain; version=0.0.4; charset=utf-8", await metrics());
      return;
    }
    const state = health();
    send(response, state.status === "failing" ? 503 : 200, "application/json", `${JSON.stringify(state)}\n`);
  } catch (error) {
    send(response, 500, "text/plain", `${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
