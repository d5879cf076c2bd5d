import {
  ConnectFailure,
  Connection,
  type IncomingMessage,
  type ProtocolVersion,
  type Transport,
} from "./connection.ts";
import type { BusLog, Clock } from "./ports.ts";

interface ClientOptions {
  readonly transport: Transport;
  readonly clientId: string;
  readonly will: { readonly topic: string; readonly payload: string };
  readonly clock: Clock;
  /** 0 to 1; spreads reconnects, so that a restarted broker is not met by everybody at once. */
  readonly random: () => number;
  readonly log: BusLog;
  readonly onMessage: (message: IncomingMessage) => void;
  /** After each CONNACK: subscribes and says what is so. A throw ends the connection; it is tried again. */
  readonly onUp: (connection: Connection) => Promise<void>;
  /** Right after that, when `connected` is true: all else may go out. */
  readonly onReady: (connection: Connection) => void;
  readonly onDown: () => void;
}

const firstDelayMs = 250;
/** A broker that is back is found within this time: the contract's reader waits 5 s for all state. */
const longestDelayMs = 4_000;
/** A connection that lasted this long starts the delays from the first again. */
const stableMs = 10_000;
const endTimeoutMs = 1_000;

/**
 * Keeps a connection to the broker for as long as the runner lives: tries again for ever with growing,
 * jittered delays, whatever the failure was, since a password may be corrected and a broker replaced.
 */
export class BusClient {
  readonly #options: ClientOptions;
  #version: ProtocolVersion;
  /** True where 3.1.1 is only a guess, because the broker hung up on MQTT 5 without a word. */
  #guessed = false;
  #failures = 0;
  #connection: Connection | null = null;
  #up = false;
  #ups = 0;
  #stopping = false;
  #wakeUp: () => void = () => {};
  #loop: Promise<void> | null = null;
  #lastFailure = "";

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#version = options.transport.kind === "stream" ? 4 : 5;
  }

  /** True from the end of `onUp` to the end of the connection. */
  get connected(): boolean {
    return this.#up;
  }

  /** How often it was up again after the first time. */
  get reconnects(): number {
    return Math.max(0, this.#ups - 1);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Ends the connection with DISCONNECT, after `farewell` where it is up. Takes at most about a second more. */
  async stop(farewell: (connection: Connection) => Promise<void>): Promise<void> {
    const connection = this.#connection;
    if (connection !== null && this.#up) await farewell(connection);
    this.#stopping = true;
    this.#wakeUp();
    await connection?.end(endTimeoutMs);
    this.#connection?.destroy();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const failure = await this.#live();
      if (this.#stopping) return;
      if (failure !== null && this.#tryOtherVersion(failure)) {
        this.#options.log.info("The broker does not take MQTT 5; trying 3.1.1");
        continue;
      }
      if (failure !== null) this.#tell(failure);
      const delayMs = Math.min(longestDelayMs, firstDelayMs * 2 ** this.#failures++);
      await this.#pause(delayMs * (0.5 + this.#options.random() / 2));
    }
  }

  /** One connection from its start to its end. Resolves with why it never came up, null if it did. */
  async #live(): Promise<ConnectFailure | null> {
    const { clock, log, onUp, onDown } = this.#options;
    try {
      const connection = new Connection({ ...this.#options, version: this.#version });
      this.#connection = connection;
      await connection.opened;
      await onUp(connection);
      this.#up = true;
      this.#ups++;
      this.#lastFailure = "";
      this.#options.onReady(connection);
      log.info(`Connected to the broker with MQTT ${this.#version === 5 ? "5" : "3.1.1"}`);
      const upSince = clock.now();
      await connection.closed;
      if (clock.now() - upSince >= stableMs) this.#failures = 0;
      if (!this.#stopping) {
        log.warn(`The connection to the broker ended${because(connection.lastError)}; connecting again`);
      }
      if (this.#guessed) this.#version = 5;
      return null;
    } catch (error) {
      if (error instanceof ConnectFailure) return error;
      return new ConnectFailure("refused", error instanceof Error ? error.message : String(error));
    } finally {
      this.#connection?.destroy();
      this.#connection = null;
      this.#up = false;
      onDown();
    }
  }

  /** Whether to try at once with the other version of the protocol. */
  #tryOtherVersion(failure: ConnectFailure): boolean {
    if (this.#options.transport.kind === "stream" || failure.reason === "unreachable") return false;
    const wasFive = this.#version === 5;
    if (wasFive && failure.reason === "refused") return false;
    this.#version = wasFive ? 4 : 5;
    this.#guessed = failure.reason === "closed";
    // From 3.1.1 back to 5 only after a delay: else two refusals would chase each other.
    return wasFive;
  }

  #tell(failure: ConnectFailure): void {
    const text = `No connection to the broker: ${failure.message}`;
    if (text === this.#lastFailure) this.#options.log.debug(text);
    else this.#options.log.warn(`${text}; trying again until there is one`);
    this.#lastFailure = text;
  }

  async #pause(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(delayMs, resolve);
      this.#wakeUp = () => {
        cancel();
        resolve();
      };
    });
  }
}

function because(error: Error | null): string {
  return error === null ? "" : ` (${error.message})`;
}
