/**
 * Makes many wishes for the same work one: the first is done at once, those that come within `spacingMs` of it
 * are done together when the time is up.
 */
export interface Coalesced {
  wish(): void;
  /** Does now what is wished for, if anything is. */
  flush(): void;
  stop(): void;
}

export function coalesce(spacingMs: number, work: () => void): Coalesced {
  let timer: NodeJS.Timeout | null = null;
  let isWished = false;

  function due(): void {
    timer = null;
    if (isWished) doNow();
  }

  function doNow(): void {
    isWished = false;
    timer ??= setTimeout(due, spacingMs);
    work();
  }

  return {
    wish: () => {
      isWished = true;
      if (timer === null) doNow();
    },
    flush: () => {
      if (isWished) doNow();
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      isWished = false;
    },
  };
}
