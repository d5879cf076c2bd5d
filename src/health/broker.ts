import { readFile } from "node:fs/promises";
import { connect } from "mqtt";

export interface BrokerLogin {
  readonly url: string;
  readonly username: string | null;
  readonly password: string | null;
  /** File with the certificate authority that signed the broker's certificate. */
  readonly ca: string | null;
}

const connectLimitMs = 4000;

/** Connects to a broker once and leaves again; rejects with what it, or the way to it, said. */
export async function reachBroker({ url, username, password, ca }: BrokerLogin): Promise<void> {
  const client = connect(url, {
    // The version that every broker speaks; only the connection is of interest.
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: connectLimitMs,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    ...(ca === null ? {} : { ca: await readFile(ca) }),
  });
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("connect", () => resolve());
      client.once("error", (error) => reject(new Error(reasonOf(error), { cause: error })));
      client.once("close", () => reject(new Error("it closed the connection or did not answer")));
    });
  } finally {
    client.on("error", () => {});
    client.end(true);
  }
}

/** A refused connection to a name with several addresses is an AggregateError with an empty message. */
function reasonOf(error: Error): string {
  const causes = error instanceof AggregateError ? error.errors : [error];
  return causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join("; ");
}
