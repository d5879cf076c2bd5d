import { existsSync } from "node:fs";
import type { ConfigResult } from "../config/load.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import { AppError } from "../errors.ts";
import { reachBroker } from "../health/broker.ts";
import { type DiagnosticInputs, runDiagnostics } from "../health/diagnostics.ts";
import { storeFacts } from "../health/store-facts.ts";
import { openStore } from "../store/open.ts";
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

async function diagnoseHere({ config, warnings }: ConfigResult): Promise<Diagnostics> {
  const { url, username, password, ca, embedded } = config.mqtt;
  return await runDiagnostics({
    ...(await lookIntoStore(config.data_dir, config.roots)),
    roots: config.roots,
    dataDir: config.data_dir,
    configWarnings: warnings,
    broker: {
      url: url ?? `mqtt://${embedded.host}:${embedded.port}`,
      reach: url === null ? null : () => reachBroker({ url, username, password, ca }),
    },
    now: () => new Date(),
  });
}

type StoreInputs = Pick<
  DiagnosticInputs,
  "knownBooks" | "watchedFolders" | "newestStoredAt" | "storeFindings" | "lockProblem"
>;

const emptyStore: StoreInputs = {
  knownBooks: {},
  watchedFolders: 0,
  newestStoredAt: null,
  storeFindings: [],
  lockProblem: null,
};

/** Opens the store as a start would, reads all of it once, and closes it; a folder that is not there stays so. */
async function lookIntoStore(dataDir: string, roots: ConfigResult["config"]["roots"]): Promise<StoreInputs> {
  if (!existsSync(dataDir)) return emptyStore;
  try {
    const store = await openStore({ dataDir, now: () => new Date() });
    try {
      const facts = storeFacts(store, roots);
      const damage = await store.check();
      const known = new Set(facts.storeFindings.map((finding) => finding.store));
      const more = damage.filter((finding) => !known.has(finding.store));
      return { ...facts, storeFindings: [...facts.storeFindings, ...more], lockProblem: null };
    } finally {
      await store.close();
    }
  } catch (error) {
    if (error instanceof AppError && error.code === "lock_held") {
      return { ...emptyStore, lockProblem: error.message };
    }
    const message = error instanceof Error ? error.message : String(error);
    const remedy = "see what data_dir_writable says";
    return { ...emptyStore, storeFindings: [{ store: "all", severity: "fatal", message, remedy }] };
  }
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
