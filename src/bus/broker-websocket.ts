import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";

interface WebSocketOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly tls: { readonly cert: Buffer; readonly key: Buffer } | null;
  readonly maxConnections: number;
  readonly maxPacketBytes: number;
  /** Whether whoever comes has to say a password. */
  readonly hasUsers: boolean;
  /** `remoteAddress`: of the other end. */
  readonly onStream: (stream: Duplex & { readonly remoteAddress: string }) => void;
}

export interface WebSocketListener {
  readonly port: number;
  /** Takes no more; what is connected is ended. */
  readonly close: () => Promise<void>;
}

/** MQTT over WebSocket (MQTT 3.1.1, section 6), for pages. Throws what the system says about the port. */
export async function listenToWebSockets(options: WebSocketOptions): Promise<WebSocketListener> {
  const { tls } = options;
  const server = tls === null ? createServer() : createTlsServer(tls);
  server.maxConnections = options.maxConnections;
  server.on("request", (_request, response) => {
    response.writeHead(426, { upgrade: "websocket" }).end();
  });
  const sockets = new WebSocketServer({
    server,
    maxPayload: options.maxPacketBytes,
    perMessageDeflate: false,
    handleProtocols: (offered) => ["mqtt", "mqttv3.1"].find((known) => offered.has(known)) ?? false,
    verifyClient: ({ req }: { readonly req: IncomingMessage }) => options.hasUsers || isFromHere(req),
  });
  sockets.on("connection", (socket, request) => {
    const stream = createWebSocketStream(socket);
    // What ends it is told by its end; without a listener it would end the process.
    stream.on("error", () => {});
    const remoteAddress = request.socket.remoteAddress ?? "";
    options.onStream(Object.assign(stream, { remoteAddress }));
  });
  sockets.on("error", () => {});
  const listening = once(server, "listening");
  server.listen({ host: options.host, port: options.port });
  await listening;
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const stopped = once(server, "close");
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close();
      server.closeAllConnections();
      await stopped;
    },
  };
}

/**
 * A page of anybody's could reach this machine through the browser that shows it. Without passwords only those are let in
 * that were fetched from the same place, and programs, which name no origin.
 */
function isFromHere({ headers }: IncomingMessage): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  return URL.parse(origin)?.host === host;
}
