import type { MqttClient } from "mqtt";

/**
 * Small packets leave at once. Otherwise the system holds each back until the one before it is acknowledged,
 * which Linux puts off by 40 ms: every command's answer would be that late.
 */
export function sendAtOnce({ stream }: MqttClient): void {
  if ("setNoDelay" in stream && typeof stream.setNoDelay === "function") stream.setNoDelay(true);
}
