import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { MemoryUse } from "../domain/diagnostic.ts";
import { isEnded, type Operation, type OperationState } from "../domain/operation.ts";
import type { QueueSnapshot } from "../domain/queue.ts";
import type { SourceSnapshot } from "../domain/source.ts";

interface MetricsOptions {
  readonly version: string;
  readonly node: string;
  readonly queue: () => QueueSnapshot;
  readonly library: () => { readonly books: number; readonly missing: number; readonly bytes: number };
  readonly memory: () => MemoryUse;
  readonly reliefs: () => ReadonlyMap<string, number>;
  readonly breakers: () => readonly SourceSnapshot[];
  readonly mqtt: () => { readonly connected: boolean; readonly outbox: number; readonly dropped: number };
}

export interface Metrics {
  /** To be told of every change in the queue. */
  operationChanged(operation: Operation, previous: OperationState | null): void;
  /** All of it, in Prometheus' text format. */
  text(): Promise<string>;
}

const durations = [0.1, 1, 5, 30, 60, 300, 1800, 3600, 21_600];
const breakerStates = ["closed", "half_open", "open", "isolated"] as const;
const memoryLevels = ["normal", "elevated", "critical"] as const;

/** What the runner counts and measures. What is a state is looked at when it is asked for. */
export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    collect: (set: (value: number, labels?: Partial<Record<L, string>>) => void) => void,
  ): void => {
    new Gauge({
      name: `tomekeeper_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        collect((value, labels) => (labels === undefined ? this.set(value) : this.set(labels, value)));
      },
    });
  };
  const ended = new Counter({
    name: "tomekeeper_operations_ended_total",
    help: "Operations that have ended, by kind and how",
    labelNames: ["kind", "state"],
    registers,
  });
  const retries = new Counter({
    name: "tomekeeper_operation_retries_total",
    help: "Failures after which an operation is tried again",
    labelNames: ["kind"],
    registers,
  });
  const duration = new Histogram({
    name: "tomekeeper_operation_duration_seconds",
    help: "From the first start of an operation to its end",
    labelNames: ["kind"],
    buckets: durations,
    registers,
  });
  const wait = new Histogram({
    name: "tomekeeper_operation_wait_seconds",
    help: "From the asking for an operation to its first start",
    labelNames: ["kind"],
    buckets: durations,
    registers,
  });
  gauge("build_info", "1, with what runs", ["version", "node"], (set) =>
    set(1, { version: options.version, node: options.node }),
  );
  gauge("operations", "Operations by state; the ended ones as long as they are kept", ["state"], (set) => {
    for (const [state, count] of Object.entries(options.queue().counts)) set(count, { state });
  });
  gauge("queue_workers", "Operations that may run at once", ["bound"], (set) => {
    for (const [bound, count] of Object.entries(options.queue().workers)) set(count, { bound });
  });
  gauge("queue_paused", "1 while everything is paused", [], (set) =>
    set(options.queue().state === "paused" ? 1 : 0),
  );
  gauge("queue_oldest_wait_seconds", "How long the oldest waiting operation waits", [], (set) =>
    set(options.queue().oldestWaitSeconds),
  );
  gauge("books", "Books of the library", ["state"], (set) => {
    const { books, missing } = options.library();
    set(books, { state: "present" });
    set(missing, { state: "missing" });
  });
  gauge("library_bytes", "Size of the present books", [], (set) => set(options.library().bytes));
  gauge("memory_level", "0 normal, 1 elevated, 2 critical", [], (set) =>
    set(memoryLevels.indexOf(options.memory().level)),
  );
  gauge("memory_limit_bytes", "What the process may use", [], (set) => set(options.memory().limitBytes));
  gauge("memory_reliefs", "Measures taken against memory pressure since the start", ["action"], (set) => {
    for (const [action, count] of options.reliefs()) set(count, { action });
  });
  gauge("breaker_state", "0 closed, 1 half open, 2 open, 3 switched off by hand", ["source"], (set) => {
    for (const { source, state } of options.breakers()) set(breakerStates.indexOf(state), { source });
  });
  gauge("breaker_failures", "Failures of a source in a row", ["source"], (set) => {
    for (const { source, failures } of options.breakers()) set(failures, { source });
  });
  gauge("source_requests", "Requests to a source since the start", ["source"], (set) => {
    for (const { source, calls } of options.breakers()) set(calls, { source });
  });
  gauge("source_requests_saved", "Look-ups that another one's answer was good for", ["source"], (set) => {
    for (const { source, coalesced } of options.breakers()) set(coalesced, { source });
  });
  gauge("mqtt_connected", "1 while there is a broker", [], (set) => set(options.mqtt().connected ? 1 : 0));
  gauge("mqtt_outbox_messages", "Messages that wait for the broker", [], (set) => set(options.mqtt().outbox));
  gauge("mqtt_dropped_messages", "Messages given up since the start", [], (set) =>
    set(options.mqtt().dropped),
  );
  return {
    operationChanged({ kind, state, createdAt, startedAt, finishedAt, retryAt, attempts }, previous) {
      if (state === previous) return;
      if (state === "running" && attempts === 1) wait.observe({ kind }, secondsBetween(createdAt, startedAt));
      if (previous === "running" && retryAt !== null) retries.inc({ kind });
      if (!isEnded(state)) return;
      ended.inc({ kind, state });
      if (startedAt !== null) duration.observe({ kind }, secondsBetween(startedAt, finishedAt));
    },
    text: () => registry.metrics(),
  };
}

function secondsBetween(from: string, to: string | null): number {
  return Math.max(0, (Date.parse(to ?? from) - Date.parse(from)) / 1000);
}
