import type { Clock } from "./ports.ts";

interface TaskQueueOptions {
  /** Tasks that are under way at once. */
  readonly concurrency: number;
  readonly clock: Clock;
  /** While this is true nothing new is begun. */
  readonly isHeldUp: () => boolean;
}

/** Tasks begun in one go, and for how long: the event loop has other work, the broker's sockets for one. */
const tasksPerTurn = 32;
const turnMs = 8;
/** How soon a queue that was held up looks again. */
const lookAgainMs = 20;

/** Runs tasks in order, a bounded number at once, in turns between which the event loop breathes. */
export class TaskQueue {
  readonly #options: TaskQueueOptions;
  #waiting: (() => Promise<void>)[] = [];
  #start = 0;
  #underWay = 0;
  #turnIsPlanned = false;
  readonly #idle = new Set<() => void>();

  constructor(options: TaskQueueOptions) {
    this.#options = options;
  }

  /** Tasks that have not begun. */
  get waiting(): number {
    return this.#waiting.length - this.#start;
  }

  /** A task must not reject: whoever adds it settles its errors. */
  add(task: () => Promise<void>): void {
    this.#waiting.push(task);
    this.#planTurn();
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    if (this.waiting === 0 && this.#underWay === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  #planTurn(): void {
    if (this.#turnIsPlanned || this.waiting === 0 || this.#underWay >= this.#options.concurrency) return;
    this.#turnIsPlanned = true;
    const turn = (): void => {
      this.#turnIsPlanned = false;
      this.#takeTurn();
    };
    if (this.#options.isHeldUp()) this.#options.clock.after(lookAgainMs, turn);
    else setImmediate(turn);
  }

  #takeTurn(): void {
    const { clock, concurrency, isHeldUp } = this.#options;
    const endAt = clock.now() + turnMs;
    for (let begun = 0; begun < tasksPerTurn && this.#underWay < concurrency && !isHeldUp(); begun++) {
      const task = this.#next();
      if (task === null) break;
      this.#begin(task);
      if (clock.now() >= endAt) break;
    }
    this.#planTurn();
  }

  #next(): (() => Promise<void>) | null {
    const task = this.#waiting[this.#start];
    if (task === undefined) return null;
    this.#start++;
    if (this.#start === this.#waiting.length || this.#start > 1_024) {
      this.#waiting = this.#waiting.slice(this.#start);
      this.#start = 0;
    }
    return task;
  }

  #begin(task: () => Promise<void>): void {
    this.#underWay++;
    const done = (): void => {
      this.#underWay--;
      if (this.waiting > 0) this.#planTurn();
      else if (this.#underWay === 0) this.#tellIdle();
    };
    task().then(done, done);
  }

  #tellIdle(): void {
    for (const resolve of this.#idle) resolve();
    this.#idle.clear();
  }
}
