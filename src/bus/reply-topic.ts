import type { IncomingMessage } from "./connection.ts";
import type { BusLog } from "./ports.ts";
import { isCommandName, ownLevels } from "./topics.ts";

const longestTopicBytes = 512;
const longestCorrelationBytes = 4_096;

/** Where an MQTT 5 request wants its answer, beside the response topic that everybody knows. */
export interface ReplyTo {
  readonly topic: string;
  readonly correlationData: Buffer | null;
}

/** Where the answer to a command goes beside the usual topic: nowhere, or to its Response Topic. */
export function replyTosOf(command: IncomingMessage, usualTopic: string, log: BusLog): readonly ReplyTo[] {
  const { topic, responseTopic, correlationData } = command;
  if (responseTopic === null || responseTopic === usualTopic) return [];
  const problem = replyProblem(responseTopic, correlationData);
  if (problem === null) return [{ topic: responseTopic, correlationData }];
  log.warn(`A command on ${topic} is not answered on its response topic: ${problem}`);
  return [];
}

/**
 * Why a Response Topic is not answered on, or null where it is. The runner may publish more than whoever
 * asks: it must not be talked into saying something on a topic that means something, of this node or another.
 */
function replyProblem(topic: string, correlationData: Buffer | null): string | null {
  const [prefix, node, level, last] = topic.split("/");
  if (prefix !== "tomekeeper" || node === undefined) return "it is not below tomekeeper/";
  if (Buffer.byteLength(topic) > longestTopicBytes) return `it is longer than ${longestTopicBytes} bytes`;
  if (/[+#\u0000-\u001f\u007f-\u009f\ufffd]/.test(topic)) return "it holds a wildcard or a control character";
  if ((correlationData?.length ?? 0) > longestCorrelationBytes) {
    return `its correlation data is longer than ${longestCorrelationBytes} bytes`;
  }
  const isOwnAnswer = level === "response" && last !== undefined && last !== "" && !isCommandName(last);
  if (node === "" || level === "" || (level !== undefined && ownLevels.has(level) && !isOwnAnswer)) {
    return "it is a topic of a runner's own";
  }
  return null;
}
