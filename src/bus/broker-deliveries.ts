import type { Aedes, Client } from "aedes";

/** What was taken from a client and is still on its way to those who listen. */
export interface Deliveries {
  /** To be told of every message of the client that the broker lets pass. */
  began(): void;
  /** Resolves when all of it has been written to its readers, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
}

/**
 * Follows the messages of one kind of client through the broker. aedes acknowledges a message before it hands
 * it on, so an acknowledged `offline` may still have to reach its readers when the broker is closed.
 */
export function followDeliveries(aedes: Aedes, isFollowed: (client: Client) => boolean): Deliveries {
  let underWay = 0;
  let wake: () => void = () => {};
  aedes.on("publish", (_packet, client) => {
    if (client === null || !isFollowed(client)) return;
    underWay--;
    if (underWay === 0) wake();
  });
  return {
    began: () => {
      underWay++;
    },
    settled: async (timeoutMs) => {
      if (underWay === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    },
  };
}
