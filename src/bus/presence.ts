import { BusClient } from "./client.ts";
import type { Connection, Transport } from "./connection.ts";
import type { BusLog, Clock } from "./ports.ts";

/** A retained topic that says whether the runner is there, in the words of a hub's convention. */
export interface PresenceWords {
  readonly topic: string;
  readonly here: string;
  /** After a clean stop. */
  readonly gone: string;
  /** The broker's word where the runner has died, and ours where it cannot be reached. */
  readonly lost: string;
}

interface PresenceOptions extends PresenceWords {
  readonly clientId: string;
  readonly transport: Transport;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: BusLog;
}

/**
 * Keeps that topic right over a connection of its own: MQTT allows one will a connection, and the runner's is that of
 * its availability.
 */
export class Presence {
  readonly #options: PresenceOptions;
  readonly #client: BusClient;
  #connection: Connection | null = null;
  #isHere = false;

  constructor(options: PresenceOptions) {
    this.#options = options;
    const { topic, lost, log } = options;
    this.#client = new BusClient({
      ...options,
      will: { topic, payload: lost },
      // Its fate is that of the first connection, which tells of it.
      log: {
        debug: (message) => log.debug(message),
        info: (message) => log.debug(message),
        warn: (message) => log.debug(message),
        error: (message) => log.error(message),
      },
      onMessage: () => {},
      onUp: async () => {},
      onReady: (connection) => {
        this.#connection = connection;
        if (this.#isHere) this.set(true);
      },
      onDown: () => {
        this.#connection = null;
      },
    });
  }

  start(): void {
    this.#client.start();
  }

  /** Whether the runner is online, with all that is to be known of it at the broker. */
  set(isHere: boolean): void {
    const { here, lost } = this.#options;
    const isNews = isHere || this.#isHere;
    this.#isHere = isHere;
    if (isNews && this.#connection !== null) void this.#say(this.#connection, isHere ? here : lost);
  }

  /** Says that it is gone and disconnects, within the time that the broker takes, at most `timeoutMs` and a second. */
  async stop(timeoutMs: number): Promise<void> {
    const { clock, gone } = this.#options;
    await this.#client.stop(async (connection) => {
      this.#connection = null;
      let cancel: () => void = () => {};
      const late = new Promise<void>((resolve) => {
        cancel = clock.after(timeoutMs, resolve);
      });
      await Promise.race([this.#say(connection, gone), connection.closed, late]);
      cancel();
    });
  }

  #say(connection: Connection, payload: string): Promise<void> {
    const { topic, log } = this.#options;
    return new Promise((resolve) => {
      connection.send({ topic, payload, qos: 1, retain: true }, (refusal) => {
        if (refusal !== null) log.warn(`The broker does not take ${topic}: ${refusal}`);
        resolve();
      });
    });
  }
}
