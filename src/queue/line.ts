import TinyQueue from "tinyqueue";
import { type Priority, priorities } from "../domain/operation.ts";
import { rootOfScopes, type ScopeHolder, ScopeIndex } from "./scopes.ts";

/**
 * `arriving` until it is durable, then `ready` (only a worker is missing), `blocked` (somebody before it has one of
 * its folders) or `held` (something else must happen first), `running`, and `gone`.
 */
type Phase = "arriving" | "ready" | "blocked" | "held" | "running" | "gone";

/** Somebody in the line. `key` and `phase` are the line's to change. */
export interface Member extends ScopeHolder {
  /** Breaks ties of `key`: rises with every member. */
  readonly sequence: number;
  key: number;
  phase: Phase;
  /** Whether its folders stay its own while it is held: it stopped in the middle of its work. */
  keepsFolders: boolean;
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

/** What the line knows of a root: who of it is ready, and how much of its work was begun and when. */
interface RootTurn<M extends Member> {
  /** May hold tickets that were withdrawn: removing from the middle of a heap costs more than skipping later. */
  readonly ready: TinyQueue<Ticket<M>>;
  running: number;
  /** Rises with every begin, of any root. */
  lastBegin: number;
}

/**
 * Who is next. Whoever is ready is in nobody's way who runs or comes before it, so the best one can always run, and a
 * broad scope is not starved by narrow ones that keep arriving behind it. Among roots whose best are about equally
 * due (within `fairMs`) the one with the least running has its turn, so that a flood in one root does not hold up
 * another.
 */
export class Line<M extends Member> {
  /** Whose folders are whose: everybody but the gone. */
  readonly #folders = new ScopeIndex<M>();
  readonly #roots = new Map<string, RootTurn<M>>();
  readonly #tickets = new Map<M, Ticket<M>>();
  readonly #behind = new Map<M, Set<M>>();
  readonly #blockers = new Map<M, M>();
  readonly #onMove: (member: M) => void;
  readonly #fairMs: number;
  #begins = 0;

  /** `onMove` hears of everybody who became ready or blocked. */
  constructor(options: { readonly onMove: (member: M) => void; readonly fairMs: number }) {
    this.#onMove = options.onMove;
    this.#fairMs = options.fairMs;
  }

  /** Reserves the folders of somebody who is arriving. Throws `invalid_payload` for a malformed scope. */
  add(member: M): void {
    this.#folders.add(member);
  }

  /** Decides where somebody stands who has arrived, is held no longer, or whose key has changed. */
  place(member: M): void {
    this.#withdraw(member);
    const displaced: M[] = [];
    let last: M | null = null;
    for (const holders of this.#folders.inTheWayOf(member)) {
      for (const other of holders) {
        if (other === member || (other.phase === "held" && !other.keepsFolders)) continue;
        const isBusy = other.phase === "running" || other.keepsFolders;
        if (isBusy || isBefore(other, member)) {
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

  /** Sets somebody aside until it is placed again; who waited for its folders goes on, unless it keeps them. */
  hold(member: M): void {
    this.#leaveRun(member);
    this.#withdraw(member);
    member.phase = "held";
    if (!member.keepsFolders) this.#wakeBehind(member);
  }

  /** The best of those who are ready, now running; null where nobody is. */
  take(): M | null {
    const heads = [...this.#roots.values()].flatMap((turn) => {
      const ticket = this.#headOf(turn);
      return ticket === undefined ? [] : [{ turn, ticket }];
    });
    const firstKey = Math.min(...heads.map(({ ticket }) => ticket.key));
    const due = heads.filter(({ ticket }) => ticket.key === firstKey || ticket.key - firstKey < this.#fairMs);
    const [chosen] = due.sort((a, b) => compareTurns(a.turn, b.turn) || compareTickets(a.ticket, b.ticket));
    if (chosen === undefined) return null;
    const { member } = chosen.ticket;
    chosen.turn.ready.pop();
    this.#tickets.delete(member);
    member.phase = "running";
    chosen.turn.running++;
    chosen.turn.lastBegin = ++this.#begins;
    return member;
  }

  /** Frees the folders of somebody who has ended or given up, and finds a place for those who waited for them. */
  leave(member: M): void {
    this.#leaveRun(member);
    this.#withdraw(member);
    this.#folders.remove(member);
    member.phase = "gone";
    this.#wakeBehind(member);
  }

  /** Everybody whose folders contain all of these. */
  covering(scopes: readonly string[]): Iterable<M> {
    return this.#folders.covering(scopes);
  }

  /** Everybody with a folder that is in the way of one of these. */
  inTheWayOf(holder: ScopeHolder): ReadonlySet<M> {
    return new Set(this.#folders.inTheWayOf(holder).flatMap((holders) => [...holders]));
  }

  /** How many could run if there were workers for them. */
  get readyCount(): number {
    return this.#tickets.size;
  }

  #wakeBehind(member: M): void {
    const waiters = [...(this.#behind.get(member) ?? [])];
    this.#behind.delete(member);
    for (const waiter of waiters) this.#blockers.delete(waiter);
    for (const waiter of waiters.sort((a, b) => (isBefore(a, b) ? -1 : 1))) this.place(waiter);
  }

  #makeReady(member: M): void {
    const ticket = { member, key: member.key, sequence: member.sequence };
    this.#tickets.set(member, ticket);
    this.#turnOf(member).ready.push(ticket);
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

  #leaveRun(member: M): void {
    if (member.phase === "running") this.#turnOf(member).running--;
  }

  #headOf({ ready }: RootTurn<M>): Ticket<M> | undefined {
    for (let ticket = ready.peek(); ticket !== undefined; ticket = ready.peek()) {
      if (this.#tickets.get(ticket.member) === ticket) return ticket;
      ready.pop();
    }
    return undefined;
  }

  #turnOf({ scopes }: M): RootTurn<M> {
    const root = rootOfScopes(scopes);
    const known = this.#roots.get(root);
    if (known !== undefined) return known;
    const turn = { ready: new TinyQueue<Ticket<M>>([], compareTickets), running: 0, lastBegin: 0 };
    this.#roots.set(root, turn);
    return turn;
  }
}

/** A place in the heap: its key does not change, whatever becomes of the member's. */
interface Ticket<M> {
  readonly member: M;
  readonly key: number;
  readonly sequence: number;
}

function compareTickets<M>(a: Ticket<M>, b: Ticket<M>): number {
  // Those that come first of all have no finite key.
  return (a.key === b.key ? 0 : a.key - b.key) || a.sequence - b.sequence;
}

function compareTurns<M extends Member>(a: RootTurn<M>, b: RootTurn<M>): number {
  return a.running - b.running || a.lastBegin - b.lastBegin;
}
