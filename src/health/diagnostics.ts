import type { Root } from "../domain/book.ts";
import type { Diagnostic, Diagnostics, Severity } from "../domain/diagnostic.ts";
import { severities } from "../domain/diagnostic.ts";
import { type Check, type Finding, fine, found, runCheck } from "./check.ts";
import {
  checkDataDirWritable,
  checkFreeSpace,
  checkRootExists,
  checkRootsApart,
  checkRootWritable,
} from "./folders.ts";
import { checkClock, checkInotify, checkRuntime } from "./machine.ts";

/** Something about a store that its opening found. */
interface StoreFinding {
  readonly store: string;
  readonly severity: "warn" | "fatal";
  readonly message: string;
  readonly remedy: string;
}

export interface DiagnosticInputs {
  readonly roots: readonly Root[];
  /** Present books in the catalogue, by root id. */
  readonly knownBooks: Readonly<Record<string, number>>;
  /** Folders in the catalogue that lie in watched roots. */
  readonly watchedFolders: number;
  readonly dataDir: string;
  /** Why the lock on the data folder could not be had; null when it is held. */
  readonly lockProblem: string | null;
  readonly storeFindings: readonly StoreFinding[];
  /** Organized files that hold something else than was recorded. */
  readonly rotten: { readonly count: number; readonly first: readonly string[] };
  readonly configWarnings: readonly string[];
  readonly broker: {
    /** As it may be shown: without a login. */
    readonly url: string;
    /** Rejects with why it cannot be reached; null for the runner's own, which is there or nothing is. */
    readonly reach: (() => Promise<void>) | null;
  };
  /** RFC 3339: the latest time on record. */
  readonly newestStoredAt: string | null;
  readonly now: () => Date;
}

/** Enough for the catalogue and the journals of a large library to be rewritten once. */
const enoughForDataBytes = 256 * 2 ** 20;
/** An audiobook or two. */
const enoughForBooksBytes = 2 ** 30;
const checkLimitMs = 5000;

/** Every check there is, in the order in which they are shown. */
function listChecks(inputs: DiagnosticInputs): readonly Check[] {
  const { roots, dataDir, broker } = inputs;
  const known = (root: Root) => inputs.knownBooks[root.id] ?? 0;
  return [
    { name: "runtime", atWorst: "fatal", run: () => checkRuntime(process.versions.node) },
    { name: "config", atWorst: "warn", run: () => checkConfig(inputs.configWarnings) },
    { name: "data_dir_writable", atWorst: "fatal", run: () => checkDataDirWritable(dataDir) },
    { name: "lock", atWorst: "fatal", run: () => checkLock(dataDir, inputs.lockProblem) },
    { name: "free_space:data", atWorst: "warn", run: () => checkFreeSpace(dataDir, enoughForDataBytes) },
    ...storeChecks(inputs.storeFindings),
    { name: "bit_rot", atWorst: "warn", run: () => checkBitRot(inputs.rotten) },
    { name: "roots_apart", atWorst: "warn", run: () => checkRootsApart(roots) },
    ...roots.flatMap((root): Check[] => [
      {
        name: `root_exists:${root.id}`,
        atWorst: worstOf(root),
        run: () => checkRootExists(root, known(root)),
      },
      {
        name: `root_writable:${root.id}`,
        atWorst: worstOf(root),
        run: () => checkRootWritable(root, known(root)),
      },
      {
        name: `free_space:${root.id}`,
        atWorst: "warn",
        run: () => checkFreeSpace(root.path, enoughForBooksBytes),
      },
    ]),
    { name: "broker", atWorst: "warn", run: () => checkBroker(broker) },
    {
      name: "inotify",
      atWorst: "warn",
      run: () => checkInotify(inputs.watchedFolders, "/proc/sys/fs/inotify/max_user_watches"),
    },
    { name: "clock", atWorst: "warn", run: () => checkClock(inputs.now(), inputs.newestStoredAt) },
  ];
}

/** Runs all checks side by side, each at most `limitMs`; never rejects. */
export async function runDiagnostics(inputs: DiagnosticInputs, limitMs = checkLimitMs): Promise<Diagnostics> {
  const checks = await Promise.all(listChecks(inputs).map((check) => runCheck(check, limitMs)));
  return { worst: worst(checks), checks };
}

/** Whether a root can be used: it is there, and whether it can be written to. */
export function rootState(
  diagnostics: Diagnostics,
  rootId: string,
): { readonly isOnline: boolean; readonly isWritable: boolean } {
  const isOk = (name: string) =>
    diagnostics.checks.some((check) => check.check === name && check.severity === "ok");
  return { isOnline: isOk(`root_exists:${rootId}`), isWritable: isOk(`root_writable:${rootId}`) };
}

function worst(checks: readonly Diagnostic[]): Severity {
  return severities.findLast((severity) => checks.some((check) => check.severity === severity)) ?? "ok";
}

function worstOf(root: Root): Severity {
  return root.optional ? "warn" : "fatal";
}

function checkConfig(warnings: readonly string[]): Finding {
  if (warnings.length === 0) return fine("the configuration is sound");
  return found(
    "warn",
    warnings.join("; "),
    "correct the configuration: `tomekeeper config check` names each place",
  );
}

function checkLock(dataDir: string, problem: string | null): Finding {
  if (problem === null) return fine(`${dataDir} is ours alone`);
  return found("fatal", problem, "stop the other runner, or give this one its own data_dir");
}

function checkBitRot({ count, first }: DiagnosticInputs["rotten"]): Finding {
  if (count === 0) return fine("no organized file is known to have changed by itself");
  const more = count > first.length ? ` and ${count - first.length} more` : "";
  return found(
    "warn",
    `${count} organized file(s) hold something else than was recorded: ${first.join(", ")}${more}`,
    "restore them from where they came or from a backup, check the disk, then run `verify` again",
  );
}

function storeChecks(findings: readonly StoreFinding[]): readonly Check[] {
  if (findings.length === 0) {
    return [{ name: "store_schema", atWorst: "fatal", run: () => fine("all stores are sound and current") }];
  }
  return findings.map(({ store, severity, message, remedy }) => ({
    name: `store_schema:${store}`,
    atWorst: severity,
    run: () => found(severity, message, remedy),
  }));
}

async function checkBroker({ url, reach }: DiagnosticInputs["broker"]): Promise<Finding> {
  if (reach === null) return fine("the runner's own");
  try {
    await reach();
    return fine(`${url} answers`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const remedy =
      "see that the broker runs and that mqtt.url, username, password and ca are right; it is tried again for ever";
    return found("warn", `${url} cannot be reached: ${reason}`, remedy);
  }
}
