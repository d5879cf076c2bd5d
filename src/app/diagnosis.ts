import type { ConfigResult } from "../config/load.ts";
import type { Root } from "../domain/book.ts";
import type { RottenFiles } from "../domain/catalogue.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import { placeText } from "../domain/organize.ts";
import { AppError } from "../errors.ts";
import { reachBroker } from "../health/broker.ts";
import { runCheck } from "../health/check.ts";
import { runDiagnostics } from "../health/diagnostics.ts";
import { checkRootExists } from "../health/folders.ts";
import type { Store } from "../store/open.ts";

export interface Diagnosis {
  /** Runs all checks; never rejects, and takes at most the time limit of one. */
  run(): Promise<Diagnostics>;
  /** Whether a root can be listed and does not look like an unmounted disk. */
  isThere(root: Root): Promise<boolean>;
}

const rootLookLimitMs = 5_000;

export function createDiagnosis(
  { config, warnings }: Pick<ConfigResult, "config" | "warnings">,
  store: Pick<Store, "catalogue" | "operations" | "issues">,
): Diagnosis {
  const { url, username, password, ca } = config.mqtt;
  const isReadable = () => !store.issues.some((issue) => issue.store === "catalogue");
  const booksIn = (rootId: string) => (isReadable() ? store.catalogue.knownBooks(rootId) : 0);
  return {
    run: () =>
      runDiagnostics({
        roots: config.roots,
        knownBooks: Object.fromEntries(config.roots.map(({ id }) => [id, booksIn(id)])),
        watchedFolders: isReadable() ? store.catalogue.unitCount() : 0,
        dataDir: config.data_dir,
        lockProblem: null,
        storeFindings: store.issues,
        rotten: isReadable() ? rottenOf(store.catalogue.rottenFiles()) : { count: 0, first: [] },
        configWarnings: warnings,
        broker: {
          url: url === null ? "the embedded broker" : withoutLogin(url),
          reach: url === null ? null : () => reachBroker({ url, username, password, ca }),
        },
        newestStoredAt: store.operations.list({ limit: 1, offset: 0 }).items[0]?.createdAt ?? null,
        now: () => new Date(),
      }),
    isThere: async (root) => {
      const check = {
        name: root.id,
        atWorst: "warn",
        run: () => checkRootExists(root, booksIn(root.id)),
      } as const;
      return (await runCheck(check, rootLookLimitMs)).severity === "ok";
    },
  };
}

function rottenOf({ count, first }: RottenFiles): {
  readonly count: number;
  readonly first: readonly string[];
} {
  return { count, first: first.map(placeText) };
}

/** Throws `fatal_diagnostic`, saying all that is wrong and what to do, where a check says not to start. */
export function refuseFatal({ checks }: Diagnostics): void {
  const fatal = checks.filter((check) => check.severity === "fatal");
  if (fatal.length === 0) return;
  const lines = fatal.map(
    ({ check, message, remedy }) => `  ${check}: ${message}${remedy === null ? "" : `\n    → ${remedy}`}`,
  );
  throw new AppError("fatal_diagnostic", `cannot start:\n${lines.join("\n")}`, {
    details: { checks: fatal },
  });
}

/** The address as it may be shown. */
export function withoutLogin(url: string): string {
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  return shown.href.replace(/\/$/, "");
}
