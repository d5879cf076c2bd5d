import TinyQueue from "tinyqueue";
import { type Priority, priorities } from "../domain/operation.ts";
import { ScopeIndex } from "./scopes.ts";

/**
 * `arriving` until it is durable, then `ready` (only a worker is missing) or `blocked` (somebody before it has
 * one of its folders), `running`, and `gone`.
 */
type Phase = "arriving" | "ready" | "blocked" | "running" | "gone";

/** Somebody in the line. `key` and `phase` are the line's to change. */
export interface Member {
  readonly scopes: readonly string[];
  /** Breaks ties of `key`: rises with every member. */
  readonly sequence: number;
  key: number;
  phase: Phase;
}

/**
 * The constant by which operations are ordered, smallest first: a step of priority is worth `agingMs` of
 * waiting, so that nothing starves, and as all age at one rate nobody's order ever changes.
 */
export function orderKey(enqueuedAtMs: number, priority: Priority, agingMs: number): number {
  return enqueuedAtMs - priorities.indexOf(priority) * agingMs;
}

export function isBefore(a: Member, b: Member): boolean {
  return a.key === b.key ? a.sequence < b.sequence : a.key < b.key;
}

/**
 * Who is next. Whoever is ready overlaps nobody that runs or comes before it, so the best one can always run,
 * and a broad scope is not starved by narrow ones that keep arriving behind it.
 */
export class Line<M extends Member> {
  /** Whose folders are whose: everybody but the gone. */
  readonly #folders = new ScopeIndex<M>();
  /** May hold tickets that were withdrawn: removing from the middle of a heap costs more than skipping later. */
  readonly #ready = new TinyQueue<Ticket<M>>([], (a, b) => a.key - b.key || a.sequence - b.sequence);
  readonly #tickets = new Map<M, Ticket<M>>();
  readonly #behind = new Map<M, Set<M>>();
  readonly #blockers = new Map<M, M>();
  readonly #onMove: (member: M) => void;

  /** `onMove` hears of everybody who became ready or blocked. */
  constructor(onMove: (member: M) => void) {
    this.#onMove = onMove;
  }

  /** Reserves the folders of somebody who is arriving. Throws `invalid_payload` for a malformed scope. */
  add(member: M): void {
    this.#folders.add(member);
  }

  /** Decides where somebody stands who has arrived, or whose key has changed. */
  place(member: M): void {
    this.#withdraw(member);
    const displaced: M[] = [];
    let last: M | null = null;
    for (const holders of this.#folders.overlapping(member.scopes)) {
      for (const other of holders) {
        if (other === member) continue;
        if (other.phase === "running" || isBefore(other, member)) {
          // Behind the last of them: when it leaves, one is woken and not all that wait for the same folder.
          if (last === null || isBefore(last, other)) last = other;
        } else if (other.phase === "ready") {
          displaced.push(other);
        }
      }
    }
    for (const other of displaced) {
      this.#withdraw(other);
      this.#block(other, member);
    }
    if (last === null) this.#makeReady(member);
    else this.#block(member, last);
  }

  /** The best of those who are ready, now running; null where nobody is. */
  take(): M | null {
    for (let ticket = this.#ready.pop(); ticket !== undefined; ticket = this.#ready.pop()) {
      const { member } = ticket;
      if (this.#tickets.get(member) !== ticket) continue;
      this.#tickets.delete(member);
      member.phase = "running";
      return member;
    }
    return null;
  }

  /** Frees the folders of somebody who has ended or given up, and finds a place for those who waited for them. */
  leave(member: M): void {
    this.#withdraw(member);
    this.#folders.remove(member);
    member.phase = "gone";
    const waiters = [...(this.#behind.get(member) ?? [])];
    this.#behind.delete(member);
    for (const waiter of waiters) this.#blockers.delete(waiter);
    for (const waiter of waiters.sort((a, b) => (isBefore(a, b) ? -1 : 1))) this.place(waiter);
  }

  /** Everybody whose folders contain all of these. */
  covering(scopes: readonly string[]): Iterable<M> {
    return this.#folders.covering(scopes);
  }

  #makeReady(member: M): void {
    const ticket = { member, key: member.key, sequence: member.sequence };
    this.#tickets.set(member, ticket);
    this.#ready.push(ticket);
    member.phase = "ready";
    this.#onMove(member);
  }

  #block(member: M, blocker: M): void {
    const behind = this.#behind.get(blocker) ?? new Set();
    this.#behind.set(blocker, behind.add(member));
    this.#blockers.set(member, blocker);
    member.phase = "blocked";
    this.#onMove(member);
  }

  #withdraw(member: M): void {
    this.#tickets.delete(member);
    const blocker = this.#blockers.get(member);
    if (blocker === undefined) return;
    this.#blockers.delete(member);
    this.#behind.get(blocker)?.delete(member);
  }
}

/** A place in the heap: its key does not change, whatever becomes of the member's. */
interface Ticket<M> {
  readonly member: M;
  readonly key: number;
  readonly sequence: number;
}
