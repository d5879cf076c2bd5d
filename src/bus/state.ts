import type { OutgoingMessage } from "./outbox.ts";
import type { Clock } from "./ports.ts";
import { type Pace, type StateBody, type StateKey, stateTopics } from "./topics.ts";

/** How often a changing topic goes out, and how often one whose `brisk` part changes. */
const calmSpacingMs = 1_000;
const briskSpacingMs = 100;

interface StateOptions {
  readonly base: string;
  readonly bootId: string;
  readonly clock: Clock;
  readonly send: (message: OutgoingMessage) => void;
}

/** Publishes state: only what changed, stamped, and no faster than the topic's pace allows. */
export interface StatePublisher {
  /**
   * Says what is so now. Goes out at once where the pace says so or the topic has been quiet, else as the
   * last value when its time has come; a value that is already out is not published again.
   */
  publish<K extends StateKey>(key: K, body: StateBody<K>): void;
  /** Sends all values that still wait for their time. */
  flush(): void;
}

/** A topic's pace applied to a value: the parts whose change is news. */
interface Value {
  readonly body: object;
  readonly text: string;
  readonly urgent: string;
  readonly brisk: string;
}

interface Topic {
  readonly path: string;
  readonly expirySeconds: number | null;
  seq: number;
  out: Value | null;
  outAt: number;
  /** The newest value, while it waits for its time. */
  waiting: Value | null;
  dueAt: number;
  cancelTimer: (() => void) | null;
}

export function createStatePublisher(options: StateOptions): StatePublisher {
  const { clock } = options;
  /** By path: a topic that is there once per source is one of its own for each. */
  const topics = new Map<string, Topic>();

  function publish<K extends StateKey>(key: K, body: StateBody<K>): void {
    const topic = topicOf(key, body);
    const value = measure(key, body);
    if (topic.waiting === null && topic.out?.text === value.text) return;
    const now = clock.now();
    const dueAt = topic.out === null ? now : topic.outAt + spacingMs(topic.out, value);
    // A clock that was set back must not silence the topic until it has caught up.
    if (dueAt <= now || topic.outAt > now) {
      send(topic, value);
      return;
    }
    const dueBefore = topic.waiting === null ? Number.POSITIVE_INFINITY : topic.dueAt;
    topic.waiting = value;
    // A brisk change that waits is not put off by a calm one that follows it.
    if (dueAt < dueBefore) schedule(topic, dueAt);
  }

  function schedule(topic: Topic, dueAt: number): void {
    topic.cancelTimer?.();
    topic.dueAt = dueAt;
    topic.cancelTimer = clock.after(Math.max(0, dueAt - clock.now()), () => {
      topic.cancelTimer = null;
      sendWaiting(topic);
    });
  }

  function sendWaiting(topic: Topic): void {
    const value = topic.waiting;
    if (value === null) return;
    // It may have come back to what is out already.
    if (value.text === topic.out?.text) settle(topic);
    else send(topic, value);
  }

  function send(topic: Topic, value: Value): void {
    settle(topic);
    topic.out = value;
    topic.outAt = clock.now();
    topic.seq++;
    const { path, expirySeconds } = topic;
    const stamp = { ts: new Date(clock.now()).toISOString(), boot_id: options.bootId, seq: topic.seq };
    options.send({
      topic: `${options.base}/${path}`,
      payload: JSON.stringify({ ...value.body, ...stamp }),
      qos: 1,
      retain: true,
      ...(expirySeconds === null ? {} : { expirySeconds }),
    });
  }

  function topicOf(key: StateKey, body: object): Topic {
    const { path: pattern, expirySeconds } = stateTopics[key];
    const path = pathOf(pattern, body);
    let topic = topics.get(path);
    if (topic === undefined) {
      const place = { path, expirySeconds };
      topic = { ...place, seq: 0, out: null, outAt: 0, waiting: null, dueAt: 0, cancelTimer: null };
      topics.set(path, topic);
    }
    return topic;
  }

  return {
    publish,
    flush: () => {
      for (const topic of topics.values()) sendWaiting(topic);
    },
  };
}

/** `breaker/<source>` has its source from the value. */
function pathOf(pattern: string, body: object): string {
  return pattern.replace(/<(\w+)>/g, (_, key: string) => String(Reflect.get(body, key)));
}

function settle(topic: Topic): void {
  topic.cancelTimer?.();
  topic.cancelTimer = null;
  topic.waiting = null;
}

function measure<K extends StateKey>(key: K, body: StateBody<K>): Value {
  const text = JSON.stringify(body);
  const pace = paceOf(key);
  if (pace.kind === "at_once") return { body, text, urgent: text, brisk: "" };
  return { body, text, urgent: pace.urgent(body), brisk: pace.brisk?.(body) ?? "" };
}

type PaceOf<K extends StateKey> = Pace<StateBody<K>>;

function paceOf<K extends StateKey>(key: K): PaceOf<K> {
  const paces: { readonly [Key in StateKey]: { readonly pace: PaceOf<Key> } } = stateTopics;
  return paces[key].pace;
}

function spacingMs(out: Value, next: Value): number {
  if (out.urgent !== next.urgent) return 0;
  return out.brisk === next.brisk ? calmSpacingMs : briskSpacingMs;
}
