import { readdirSync } from "node:fs";
import { createDiagnosis } from "../app/diagnosis.ts";
import type { ConfigResult } from "../config/load.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import { AppError, systemCode } from "../errors.ts";
import { reachBroker } from "../health/broker.ts";
import { type DiagnosticInputs, runDiagnostics } from "../health/diagnostics.ts";
import { openStore, type Store } from "../store/open.ts";
import type { CommandLine } from "./command-line.ts";
import { findRunner } from "./find-runner.ts";
import { printable, statusStyle, styled } from "./format.ts";
import { configOf, type SettingFlags } from "./sources.ts";

/** `tomekeeper doctor`: the start-up checks, by the running runner or, without one, here. */
export async function doctor(flags: SettingFlags, line: CommandLine): Promise<number> {
  const diagnostics = (await askRunner(flags, line)) ?? (await diagnoseHere(configOf(flags, line)));
  if (flags.json) line.out(JSON.stringify(diagnostics));
  else for (const text of diagnosticLines(diagnostics, line)) line.out(text);
  return diagnostics.worst === "fatal" ? 3 : 0;
}

/** Null where no runner answers, unless the user named a broker: then it is that one or nothing. */
async function askRunner(flags: SettingFlags, line: CommandLine): Promise<Diagnostics | null> {
  try {
    const runner = await findRunner(flags, line);
    try {
      return await runner.request("diagnose", {});
    } finally {
      await runner.close();
    }
  } catch (error) {
    if (error instanceof AppError && error.code === "no_runner" && flags.broker === undefined) return null;
    throw error;
  }
}

/**
 * Opens the store as a start would, reads all of it once, and closes it. Where there is none yet, none is made: a
 * doctor that is run as another user would leave files that the runner cannot open.
 */
async function diagnoseHere(result: ConfigResult): Promise<Diagnostics> {
  const dataDir = result.config.data_dir;
  if (!holdsStore(dataDir)) return await diagnoseWithoutStore(result, {});
  let store: Store;
  try {
    store = await openStore({ dataDir, now: () => new Date() });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof AppError && error.code === "lock_held") {
      return await diagnoseWithoutStore(result, { lockProblem: message });
    }
    const finding = {
      store: "all",
      severity: "fatal",
      message,
      remedy: "see what data_dir_writable says",
    } as const;
    return await diagnoseWithoutStore(result, { storeFindings: [finding] });
  }
  try {
    const damage = await store.check();
    const known = new Set(store.issues.map((issue) => issue.store));
    const issues = [...store.issues, ...damage.filter((issue) => !known.has(issue.store))];
    const { catalogue, operations } = store;
    return await createDiagnosis(result, { catalogue, operations, issues }).run();
  } finally {
    await store.close();
  }
}

function holdsStore(dataDir: string): boolean {
  try {
    return readdirSync(dataDir).some((name) => name === "lock" || name.endsWith(".db"));
  } catch (error) {
    // A folder that cannot be listed is for the opening to explain.
    return systemCode(error) !== "ENOENT";
  }
}

function diagnoseWithoutStore(
  { config, warnings }: ConfigResult,
  known: Partial<Pick<DiagnosticInputs, "lockProblem" | "storeFindings">>,
): Promise<Diagnostics> {
  const { url, username, password, ca } = config.mqtt;
  return runDiagnostics({
    roots: config.roots,
    knownBooks: {},
    watchedFolders: 0,
    dataDir: config.data_dir,
    lockProblem: null,
    storeFindings: [],
    rotten: { count: 0, first: [] },
    configWarnings: warnings,
    broker: {
      url: url ?? "the embedded broker",
      reach: url === null ? null : () => reachBroker({ url, username, password, ca }),
    },
    newestStoredAt: null,
    now: () => new Date(),
    ...known,
  });
}

function diagnosticLines({ worst, checks }: Diagnostics, line: CommandLine): readonly string[] {
  const width = Math.max(...checks.map(({ check }) => check.length));
  return [
    ...checks.flatMap(({ check, severity, message, remedy }) => {
      const sign = styled(line, statusStyle(severity), severity.padEnd(5));
      const text = `${sign}  ${check.padEnd(width)}  ${printable(message)}`;
      return remedy === null ? [text] : [text, `${" ".repeat(7)}→ ${printable(remedy)}`];
    }),
    "",
    `worst: ${styled(line, statusStyle(worst), worst)}`,
  ];
}
