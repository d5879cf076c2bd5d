import { randomUUID } from "node:crypto";
import { plugins as builtIn } from "../plugins/index.ts";
import { createDiagnosis, refuseFatal } from "./app/diagnosis.ts";
import { hubAccess } from "./app/hubs.ts";
import { loadPlugins } from "./app/load-plugins.ts";
import { createLogger } from "./app/logger.ts";
import { buildRunner, type Runner } from "./app/runner.ts";
import { openTransport } from "./app/transport.ts";
import type { ConfigResult } from "./config/load.ts";
import { toErrorRecord } from "./errors.ts";
import { removeRunnerFile, writeRunnerFile } from "./runner-file.ts";
import { openStore } from "./store/open.ts";

export interface AppOptions extends ConfigResult {
  /** Reads the configuration again, for the command `reload`. Throws `config_invalid`. */
  readonly readConfig: () => ConfigResult;
}

export interface RunningApp {
  readonly ready: {
    /** Of the broker, without credentials. */
    readonly url: string;
    /** `tomekeeper/<node>`. */
    readonly base: string;
  };
  /** Parks running work at a safe point, says `offline` and frees everything. Takes at most 10 s. */
  stop(): Promise<void>;
}

/**
 * The composition root: builds the runner from its parts, starts them in order and stops them in reverse.
 *
 * @throws `lock_held` where another runner has the data folder, `fatal_diagnostic` where a start-up check says
 * that it must not run, `config_invalid` for a broker that cannot be opened as configured.
 */
export async function startApp(options: AppOptions): Promise<RunningApp> {
  const { config } = options;
  const base = `tomekeeper/${config.node}`;
  const bootId = randomUUID();
  const releases = new AsyncDisposableStack();
  // Told as soon as there is one; what is logged before goes to standard error alone.
  const listening: { runner: Runner | null } = { runner: null };
  const log = createLogger(config.log_level, (level, message) =>
    listening.runner?.bus.publishLog(level, message),
  );
  try {
    const store = await openStore({
      dataDir: config.data_dir,
      now: () => new Date(),
      onIssue: (issue) => {
        log.error(`${issue.store}: ${issue.message}; ${issue.remedy}`);
        listening.runner?.storeChanged();
      },
      onIssueGone: (issue) => {
        log.info(`${issue.store}: this is over: ${issue.message}`);
        listening.runner?.storeChanged();
      },
    });
    releases.defer(() => store.close());
    const diagnosis = createDiagnosis(options, store);
    const diagnostics = await diagnosis.run();
    refuseFatal(diagnostics);
    store.catalogue.configureRoots(config.roots);

    const plugins = [...builtIn, ...(await loadPlugins(config))];
    const hubs = hubAccess(
      plugins.filter((plugin) => plugin.kind === "hub"),
      config,
      store.nodeId,
    );
    const { transport, url, close } = await openTransport({
      config,
      base,
      nodeId: store.nodeId,
      hubs,
      log,
    });
    releases.defer(close);
    const runner = buildRunner({
      config,
      readConfig: options.readConfig,
      store,
      diagnosis,
      diagnostics,
      transport,
      plugins,
      // Loaded only for whoever asks: it takes 20 MB.
      createMetrics: config.http.port === null ? null : (await import("./health/metrics.ts")).createMetrics,
      bootId,
      log,
      releases,
    });
    listening.runner = runner;
    await runner.start();

    const runnerFile = {
      url,
      node: config.node,
      pid: process.pid,
      boot_id: bootId,
      config_file: options.file,
    };
    try {
      writeRunnerFile(config.data_dir, runnerFile);
      releases.defer(() => removeRunnerFile(config.data_dir, bootId));
    } catch (error) {
      // On a full disk for one: all that can be read is served all the same.
      const { message } = toErrorRecord(error);
      log.warn(
        `commands have to be told where this runner is (--broker ${url}), since its file cannot be written: ${message}`,
      );
    }
    return { ready: { url, base }, stop: () => releases.disposeAsync() };
  } catch (error) {
    await releases.disposeAsync();
    throw error;
  }
}
