import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** What a client of the embedded broker may do; `runner` is this process itself. */
export type Role = "runner" | "admin" | "control" | "read";

export interface BrokerUser {
  readonly username: string;
  readonly password: string;
  readonly role: Exclude<Role, "runner">;
}

export interface AccessRules {
  /** `tomekeeper/<node>`. */
  readonly base: string;
  /** What hubs need beside our own topics, said by their plugins. */
  readonly hubs: {
    /** Exact topics that `control` may publish: a hub's birth message. */
    readonly publish: readonly string[];
    /** First levels that everybody may read: a hub's discovery. */
    readonly read: readonly string[];
  };
}

/** Deny by default: what is not named here may not be published. Wills are asked for like any publish. */
export function mayPublish(role: Role, topic: string, { base, hubs }: AccessRules): boolean {
  if (topic.startsWith("$")) return false;
  switch (role) {
    case "runner":
    case "admin":
      return true;
    case "control":
      return isCommandTopic(topic, base) || hubs.publish.includes(topic);
    case "read":
      return false;
  }
}

/** Whether the filter lies within what the role may read: a wildcard in its first level never does. */
export function maySubscribe(role: Role, filter: string, { hubs }: AccessRules): boolean {
  if (filter.startsWith("$")) return false;
  switch (role) {
    case "runner":
    case "admin":
      return true;
    case "control":
    case "read": {
      const [first = ""] = filter.split("/");
      return first === "tomekeeper" || hubs.read.includes(first);
    }
  }
}

export function isCommandTopic(topic: string, base: string): boolean {
  const prefix = `${base}/cmd/`;
  return topic.startsWith(prefix) && topic.length > prefix.length && !topic.includes("/", prefix.length);
}

/**
 * Who this is, or null. Passwords are compared by digest in constant time, for an unknown name as for a known
 * one. Without any user, whoever comes from this machine is `control`.
 */
export function roleOf(
  users: readonly BrokerUser[],
  username: string | undefined,
  password: Buffer | undefined,
  isLocal: boolean,
): Exclude<Role, "runner"> | null {
  if (users.length === 0) return isLocal ? "control" : null;
  if (username === undefined || password === undefined) return null;
  const user = users.find((known) => known.username === username);
  const isRight = isSame(user === undefined ? randomBytes(32) : Buffer.from(user.password), password);
  return isRight && user !== undefined ? user.role : null;
}

function isSame(expected: Buffer, given: Buffer): boolean {
  return timingSafeEqual(digest(expected), digest(given));
}

function digest(secret: Buffer): Buffer {
  return createHash("sha256").update(secret).digest();
}
