import type { Config } from "../config/schema.ts";
import type { OperationRun } from "../domain/operation.ts";
import type { ScanProgress } from "../domain/scan.ts";
import { AppError } from "../errors.ts";
import { unifySpellings } from "../metadata/spelling.ts";
import { buildDrafts } from "../scan/draft.ts";
import { createScanRun } from "../scan/scan.ts";
import { readSidecars } from "../scan/sidecar.ts";
import { createTagReader } from "../scan/tags.ts";
import { walkInThread } from "../scan/walk-in-thread.ts";
import type { Store } from "../store/open.ts";
import type { BookNews } from "./announce.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Logger } from "./logger.ts";
import { createProgressView } from "./progress-view.ts";
import type { RootStates } from "./root-states.ts";

interface ScanningOptions {
  readonly config: Config;
  readonly live: () => LiveSettings;
  readonly store: Pick<Store, "catalogue" | "checkpoints">;
  readonly rootStates: RootStates;
  readonly log: Logger;
  readonly onProgress: (progress: ScanProgress) => void;
  readonly onBooks: (operationId: string, news: BookNews) => void;
}

export interface Scanning {
  readonly run: OperationRun;
  /** Says that nothing is being scanned: for a start, before the first scan says something else. */
  publishIdle(): void;
  applySettings(): void;
  /** While memory is tight one worker reads tags: each takes 45 MB, and the second makes a scan a sixth quicker. */
  setTight(isTight: boolean): void;
  /** As `TagReader` has it: the picture that is in a file. */
  readPicture(path: string): Promise<Uint8Array | null>;
  close(): Promise<void>;
}

/** Gives a scan what it works with, and notes which roots turn out to be away or back. */
export function createScanning(options: ScanningOptions): Scanning {
  const { config, live, store, rootStates, log, onProgress, onBooks } = options;
  const showProgress = createProgressView(onProgress);
  const tags = createTagReader({
    concurrency: live().scanConcurrency,
    fileTimeoutMs: config.scan.file_timeout_ms,
  });
  let isTight = false;
  const deps = {
    findRoot: (rootId: string) => config.roots.find((root) => root.id === rootId),
    catalogue: store.catalogue,
    checkpoints: store.checkpoints,
    walk: walkInThread,
    readTracks: tags.read,
    readSidecars,
    buildDrafts,
    settings: () => ({
      walkConcurrency: config.scan.walk_concurrency,
      checkpointInterval: live().checkpointInterval,
      ignore: live().ignore,
    }),
    now: () => new Date(),
    onProgress: showProgress,
    warn: (message: string, error: unknown) =>
      log.warn(`${message}: ${error instanceof Error ? error.message : String(error)}`),
  };

  /** What a scan brings may spell a series otherwise than the books of it that are there. */
  async function spellSeries(operationId: string, summary: Readonly<Record<string, unknown>>): Promise<void> {
    if (summary["added"] === 0 && summary["changed"] === 0) return;
    const { changed } = await unifySpellings(store.catalogue, operationId);
    if (changed.length > 0) onBooks(operationId, { added: [], changed, missing: [], needsReview: [] });
  }

  function setWorkers(): void {
    tags.setConcurrency(isTight ? 1 : live().scanConcurrency);
  }

  return {
    run: async (operation, context) => {
      const rootId = String(operation.input["root_id"]);
      try {
        const run = createScanRun({ ...deps, onBooks: (news) => onBooks(operation.id, news) });
        const summary = await run(operation, context);
        rootStates.set(rootId, true);
        await spellSeries(operation.id, summary);
        return summary;
      } catch (error) {
        if (error instanceof AppError && (error.code === "root_unavailable" || error.code === "disk_lost")) {
          rootStates.set(rootId, false);
        }
        throw error;
      }
    },
    publishIdle: () => showProgress(idle),
    applySettings: () => setWorkers(),
    setTight: (tight) => {
      isTight = tight;
      setWorkers();
    },
    readPicture: (path) => tags.readPicture(path),
    close: () => tags.close(),
  };
}

const idle: ScanProgress = {
  state: "idle",
  operationId: null,
  rootId: null,
  path: null,
  dirsFound: 0,
  dirsDone: 0,
  filesFound: 0,
  filesDone: 0,
  booksFound: 0,
  percent: null,
  etaSeconds: null,
  resumedFrom: null,
  problems: 0,
};
