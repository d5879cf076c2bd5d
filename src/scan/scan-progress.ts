import type { ScanCounts, ScanProblem, ScanProgress, ScanState } from "../domain/scan.ts";

/** How many problems are kept to be shown; all are counted. */
export const problemsShown = 100;

/** What a scan has found and done, over all its runs. */
export interface ScanTally {
  found(folder: { readonly path: string; readonly audioFiles: number }): void;
  done(folder: { readonly audioFiles: number }): void;
  /** Books that are there; fewer where one that was counted turned out to be gone. */
  books(change: number): void;
  problems(problems: readonly ScanProblem[]): void;
  /** A second walk counts from here on what the scan has yet to reach. */
  countingBegins(): void;
  counted(audioFiles: number): void;
  /** All that there is has been found, by the scan itself or by the count. */
  totalKnown(): void;
  counts(): ScanCounts;
  bookCount(): number;
  /** The first of them. */
  shownProblems(): readonly ScanProblem[];
  progress(state: ScanState): ScanProgress;
}

export interface TallyStart {
  readonly operationId: string;
  readonly rootId: string;
  readonly startPath: string;
  readonly resumedFrom: string | null;
  /** Of the runs before this one. */
  readonly counts: ScanCounts;
  readonly bookCount: number;
  readonly problems: readonly ScanProblem[];
  /** Milliseconds since this run began. */
  readonly elapsedMs: () => number;
}

export const noCounts: ScanCounts = { dirs: 0, files: 0, problemCount: 0 };

export function createScanTally(start: TallyStart): ScanTally {
  const counts = { ...start.counts };
  let { bookCount } = start;
  const shown = start.problems.slice(0, problemsShown);
  let dirsFound = counts.dirs;
  let filesFound = counts.files;
  let path = start.resumedFrom ?? start.startPath;
  let dirsCounted = 0;
  let filesCounted = 0;
  let isTotalKnown = false;
  let lastPercent = 0;

  /** It never falls, although files may come while the scan runs. */
  function percent(): number | null {
    if (!isTotalKnown) return null;
    const files = Math.max(filesFound, filesCounted);
    const [done, found] = files > 0 ? [counts.files, files] : [counts.dirs, Math.max(dirsFound, dirsCounted)];
    const now = found === 0 ? 100 : Math.min(100, Math.floor((done / found) * 1000) / 10);
    lastPercent = Math.max(lastPercent, now);
    return lastPercent;
  }

  /** From the rate of this run: an earlier one may have had another disk or a warm cache. */
  function etaSeconds(): number | null {
    const doneNow = counts.files - start.counts.files;
    if (!isTotalKnown || doneNow === 0) return null;
    const left = Math.max(filesFound, filesCounted) - counts.files;
    return Math.ceil((left * start.elapsedMs()) / doneNow / 1000);
  }

  return {
    found(folder) {
      dirsFound++;
      filesFound += folder.audioFiles;
      path = folder.path;
    },
    done(folder) {
      counts.dirs++;
      counts.files += folder.audioFiles;
    },
    books(change) {
      bookCount += change;
    },
    problems(problems) {
      counts.problemCount += problems.length;
      shown.push(...problems.slice(0, problemsShown - shown.length));
    },
    countingBegins() {
      dirsCounted = dirsFound;
      filesCounted = filesFound;
    },
    counted(audioFiles) {
      dirsCounted++;
      filesCounted += audioFiles;
    },
    totalKnown() {
      isTotalKnown = true;
    },
    counts: () => ({ ...counts }),
    bookCount: () => bookCount,
    shownProblems: () => shown,
    progress: (state) => ({
      state,
      operationId: start.operationId,
      rootId: start.rootId,
      path,
      dirsFound: Math.max(dirsFound, dirsCounted),
      dirsDone: counts.dirs,
      filesFound: Math.max(filesFound, filesCounted),
      filesDone: counts.files,
      booksFound: bookCount,
      percent: percent(),
      etaSeconds: etaSeconds(),
      resumedFrom: start.resumedFrom,
      problems: counts.problemCount,
    }),
  };
}
