import { pino } from "pino";
import type { BusLog } from "../bus/ports.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

export interface Logger extends BusLog {
  setLevel(level: LogLevel): void;
}

/**
 * Logs to standard error: a readable line each on a terminal, JSON lines (pino's) elsewhere. `mirror` is told of
 * `warn` and `error` as well.
 */
export function createLogger(level: LogLevel, mirror: (level: LogLevel, message: string) => void): Logger {
  const destination = process.stderr.isTTY
    ? { write: writeReadable }
    : pino.destination({ fd: 2, sync: true });
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination);
  return {
    debug: (message) => logger.debug(message),
    info: (message) => logger.info(message),
    warn: (message) => {
      logger.warn(message);
      mirror("warn", message);
    },
    error: (message) => {
      logger.error(message);
      mirror("error", message);
    },
    setLevel: (next) => {
      logger.level = next;
    },
  };
}

const levelNames: Readonly<Record<number, string>> = { 20: "debug", 30: "info", 40: "WARN", 50: "ERROR" };

function writeReadable(line: string): void {
  const { level, time, msg }: { level: number; time: string; msg: string } = JSON.parse(line);
  // What stands in a message may come from a file's name: nothing in it may steer the terminal.
  const shown = msg.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  process.stderr.write(`${time.slice(11, 19)} ${(levelNames[level] ?? "").padEnd(5)} ${shown}\n`);
}
