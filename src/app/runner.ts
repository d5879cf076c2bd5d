import { randomUUID } from "node:crypto";
import { type Bus, createBus } from "../bus/bus.ts";
import type { Transport } from "../bus/connection.ts";
import { systemClock } from "../bus/ports.ts";
import { type CommandInput, commands, type StateBody } from "../bus/topics.ts";
import { wireBreaker, wireLibrary, wireQueue, wireScan } from "../bus/wire.ts";
import { wireOrganize } from "../bus/wire-organize.ts";
import { changedSettings } from "../config/changed.ts";
import type { ConfigResult } from "../config/load.ts";
import type { Root } from "../domain/book.ts";
import type { Diagnostics } from "../domain/diagnostic.ts";
import { isEnded, type Operation, type OperationState } from "../domain/operation.ts";
import { toErrorRecord } from "../errors.ts";
import { collectGarbage, createIdleCollector } from "../health/collect.ts";
import { rootState } from "../health/diagnostics.ts";
import { type HealthAnswer, startEndpoint } from "../health/http.ts";
import { createMemorySampler, memoryLimitBytes } from "../health/memory.ts";
import type { createMetrics } from "../health/metrics.ts";
import { createPressureRelief } from "../health/pressure.ts";
import { createQueries } from "../library/queries.ts";
import { createPlaylists } from "../organize/playlists.ts";
import { createWriteOut } from "../organize/write-out.ts";
import type { Plugin } from "../plugin.ts";
import { createQueue } from "../queue/queue.ts";
import type { Store } from "../store/open.ts";
import { version } from "../version.ts";
import { type BookNews, createAnnouncer } from "./announce.ts";
import { coalesce } from "./coalesce.ts";
import { createHandlers, scanRequest } from "./commands.ts";
import { type CoversShown, createCoversShown } from "./covers-shown.ts";
import type { Diagnosis } from "./diagnosis.ts";
import { createFetching } from "./fetching.ts";
import { createHeartbeat } from "./heartbeat.ts";
import { createHubs, type Hubs } from "./hubs.ts";
import { liveSettings } from "./live-settings.ts";
import type { Logger } from "./logger.ts";
import { createOrganizing } from "./organizing.ts";
import { isInWindow } from "./pause-windows.ts";
import { queueOptions } from "./queue-options.ts";
import { createRootStates } from "./root-states.ts";
import { createScanning } from "./scanning.ts";
import { createSources } from "./sources.ts";
import { createWatching } from "./watching.ts";

interface RunnerParts {
  readonly config: ConfigResult["config"];
  readonly readConfig: () => ConfigResult;
  readonly store: Store;
  readonly diagnosis: Diagnosis;
  /** What the start-up checks found. */
  readonly diagnostics: Diagnostics;
  readonly transport: Transport;
  readonly plugins: readonly Plugin[];
  /** Null where nobody can ask for figures. */
  readonly createMetrics: typeof createMetrics | null;
  readonly bootId: string;
  readonly log: Logger;
  /** Told of whatever has to be stopped; it is stopped in reverse. */
  readonly releases: AsyncDisposableStack;
}

export interface Runner {
  readonly bus: Bus;
  /** Takes over what an earlier run left, goes online and begins to work. */
  start(): Promise<void>;
  /** To be called when something about the stored data went wrong or is right again. */
  storeChanged(): void;
}

/** Running work gets this long to reach a safe point; the bus takes up to 5 s more of the 10 s there are. */
const stopGraceMs = 4_000;
/** A burst of commands changes the queue thousands of times, and a picture of it costs time with its length. */
const queueSpacingMs = 100;
const librarySpacingMs = 1_000;
/** Whether roots are back, and whether a full disk has space again. */
const lookIntervalMs = 30_000;
const tendIntervalMs = 1_000;
const expireIntervalMs = 6 * 60 * 60 * 1000;
/** Between two parts of somebody's work there are seconds; nothing is collected in them. */
const idleMs = 10_000;

/** Connects scan, queue, catalogue and bus; state goes out whenever one of them changes. */
export function buildRunner(parts: RunnerParts): Runner {
  const { config, store, diagnosis, log, releases } = parts;
  const { catalogue } = store;
  /** As it was read last: `reload` may have changed what of it is live. */
  let current = config;
  let live = liveSettings(config, store.settings.get());
  let { diagnostics } = parts;
  let isWindowHeld = false;
  let diagnosing = Promise.resolve(diagnostics);

  const { plugins } = parts;
  const hubs = createHubs({
    config,
    plugins: plugins.filter((plugin) => plugin.kind === "hub"),
    nodeId: store.nodeId,
    memory: store.pluginMemory,
    log,
    bus: () => bus,
    handlers: () => handlers,
    onFailed: () => publishInfo(),
  });
  releases.defer(() => hubs.stop());
  const bus = heardBy(hubs, {
    node: config.node,
    nodeId: store.nodeId,
    bootId: parts.bootId,
    transport: parts.transport,
    commandStore: store.commands,
    findOperation: (id) => queue.get(id),
    extensions: hubs.extensions,
    clock: systemClock,
    random: Math.random,
    onOnline: () => heartbeat.beat(),
    newId: randomUUID,
    log,
  });
  const announcer = createAnnouncer(bus.publishEvent, (id) => organizing.wasRolledBack(id));
  const rootStates = createRootStates({
    roots: config.roots,
    catalogue,
    isThere: (root) => diagnosis.isThere(root),
    onChange: rootChanged,
  });
  const scanning = createScanning({
    config,
    live: () => live,
    store,
    rootStates,
    log,
    onProgress: (progress) => bus.publishState("scan", wireScan(progress)),
    onBooks: booksChanged,
  });
  const organizing = createOrganizing({
    config,
    live: () => live,
    store,
    log,
    readPicture: (file) => scanning.readPicture(file),
    goesOn: (id) => {
      const operation = queue.get(id);
      return operation !== null && !isEnded(operation.state);
    },
    onProgress: (progress, last) => bus.publishState("organize", wireOrganize(progress, last)),
    onBooks: booksChanged,
  });
  const sources = createSources({
    config,
    plugins,
    store,
    log,
    onChange: (snapshot, before) => {
      bus.publishState("breaker", wireBreaker(snapshot));
      announcer.breakerChanged(snapshot, before);
    },
  });
  releases.defer(() => sources.close());
  const fetching = createFetching({
    rootIds: config.roots.map(({ id }) => id),
    live: () => live,
    store,
    sources,
    onBooks: booksChanged,
  });
  const playlists = createPlaylists({
    folder: () => live.organize.playlist_dir,
    roots: config.roots,
    catalogue,
    warn: (message) => log.warn(message),
  });
  releases.defer(() => playlists.stop());
  const writeOut = createWriteOut({
    settings: () => live.writeOut,
    roots: config.roots,
    catalogue,
    warn: (message) => log.warn(message),
  });
  releases.defer(() => writeOut.stop());
  const queue = createQueue({
    ...queueOptions(config, store),
    runs: { scan: scanning.run, ...organizing.runs, fetch: fetching.run },
    workers: live.workers,
    now: Date.now,
    random: Math.random,
    newId: randomUUID,
  });
  queue.onChange(operationChanged);
  const query = createQueries(catalogue, config.cache_size);
  const coversShown = createShown();
  const relief = createPressureRelief(
    {
      trimCaches: () => query.trim(),
      setPressure: (pressure) => {
        queue.setPressure(pressure);
        scanning.setTight(pressure !== "none");
      },
      parkLowPriority: (isParked) =>
        queue.hold("memory", isParked ? ({ priority }) => priority === "low" : null),
      collect: collectGarbage,
    },
    Date.now,
  );
  const memory = createMemorySampler(memoryLimitBytes(config.memory.share));
  const heartbeat = createHeartbeat({
    bus,
    queue,
    memory,
    actions: () => relief.actions,
    onMemory: (level) => relief.at(level),
    worstDiagnostic: () => diagnostics.worst,
    onMemoryLevel: announcer.memoryPressure,
  });
  releases.defer(() => heartbeat.stop());
  const metrics = parts.createMetrics?.({
    version,
    node: config.node,
    queue: () => queue.snapshot(),
    library: () => catalogue.totals(),
    memory: () => memory.sample(),
    reliefs: relief.counts,
    breakers: () => sources.snapshots(),
    mqtt: () => bus.status(),
  });
  const watching = createWatching({
    roots: config.roots,
    live: () => live,
    organizing,
    log,
    requestScan,
    onTroubles: diagnoseSoon,
  });
  const idle = createIdleCollector({
    isIdle: () => queue.snapshot().running.length === 0,
    collect: collectGarbage,
    afterMs: idleMs,
  });
  releases.defer(() => idle.stop());
  const publishQueue = coalesce(queueSpacingMs, () => bus.publishState("queue", wireQueue(queue.snapshot())));
  const publishLibrary = coalesce(librarySpacingMs, () => {
    bus.publishState("library", wireLibrary(catalogue.totals()));
    const cover = coversShown?.newest() ?? null;
    if (cover !== null) bus.publishState("cover", cover);
  });
  const handlers = createHandlers({
    roots: config.roots,
    isOnline: rootStates.isOnline,
    queue,
    catalogue,
    query,
    findOperation: (id) => queue.get(id),
    operationsOf: (transaction) => store.operations.byTransaction(transaction),
    diagnose,
    reload,
    configure,
    publishQueue: () => publishQueue.wish(),
    organizing,
    fetching,
    sources,
    onBookSet: (book) => {
      announcer.bookChanged(book);
      follow([book.id]);
      publishLibrary.wish();
    },
  });
  bus.handle(handlers);

  function operationChanged(operation: Operation, previous: OperationState | null): void {
    publishQueue.wish();
    idle.worked();
    announcer.operationChanged(operation, previous);
    metrics?.operationChanged(operation, previous);
    if (previous === null && operation.kind === "scan") void organizeAfter(operation);
    if (operation.state === previous || !isEnded(operation.state)) return;
    if (operation.kind === "scan") {
      publishLibrary.wish();
      void store.forgetEndedScans();
    }
    // What it found stands among the checks.
    if (operation.kind === "verify") void diagnose();
    if (operation.kind === "organize" || operation.kind === "undo") watching.batchEnded(operation);
    if (operation.kind === "fetch") void placeCovers(operation);
    if (operation.state === "failed") log.error(`${operation.kind} failed: ${operation.error?.message}`);
    bus.operationEnded(operation);
  }

  function booksChanged(operationId: string, news: BookNews): void {
    announcer.books(operationId, news);
    follow([...news.added, ...news.changed, ...news.missing].map(({ id }) => id));
    publishLibrary.wish();
  }

  /** What is kept of these books in files of ours follows them. */
  function follow(ids: readonly string[]): void {
    playlists.changed(ids);
    writeOut.changed(ids);
  }

  /** With `organize.auto`, what a scan of an inbox finds is put in order as soon as it has ended. */
  async function organizeAfter(scan: Operation): Promise<void> {
    const root = config.roots.find(({ id }) => id === scan.input["root_id"]);
    if (!live.organize.auto || root?.kind !== "inbox") return;
    try {
      await queue.enqueue(await organizing.autoRequest(scan));
    } catch (error) {
      log.warn(`what scan ${scan.id} finds is not organized by itself: ${toErrorRecord(error).message}`);
    }
  }

  /** With `write_out.cover`, the covers that a fetch has brought are put beside their books. */
  async function placeCovers({ id, state, summary, input, priority }: Operation): Promise<void> {
    if (!live.writeOut.cover || state !== "completed" || summary?.["covers"] === 0) return;
    const { books, query } = input as { books?: readonly string[]; query?: string };
    try {
      const asked = { priority, transaction: null };
      await queue.enqueue(await organizing.organizeRequest({ books, query, coversOnly: true }, asked));
    } catch (error) {
      log.warn(`the covers that fetch ${id} brought are not placed: ${toErrorRecord(error).message}`);
    }
  }

  function rootChanged(root: Root, isOnline: boolean): void {
    watching.rootChanged(root.id, isOnline);
    if (isOnline) log.info(`root ${root.id} is back (${root.path})`);
    else log.warn(`root ${root.id} cannot be read, so its books are offline (${root.path})`);
    publishInfo();
    publishLibrary.wish();
    diagnoseSoon();
    if (isOnline) void recoverBatches().then(() => requestScan(root));
  }

  /** What waited for a disk is ended as soon as it is there. */
  async function recoverBatches(): Promise<void> {
    for (const { operationId, reason } of await organizing.recover()) {
      log.error(`the batch ${operationId} could not be recovered: ${reason}`);
    }
  }

  function publishInfo(): void {
    bus.publishState("info", {
      schema: "1",
      version,
      node: config.node,
      node_id: store.nodeId,
      plugins: [...sources.plugins, ...hubs.states()],
      roots: config.roots.map(({ id, kind }) => ({
        id,
        kind,
        state: rootStates.isOnline(id) ? "online" : "offline",
      })),
      capabilities: Object.keys(commands),
    });
  }

  function settingsInForce(): StateBody<"settings"> {
    return {
      scan_concurrency: live.scanConcurrency,
      operation_concurrency: live.workers.min,
      organize_strategy: live.organizeStrategy,
      log_level: live.logLevel,
    };
  }

  /** Runs the checks again, and says where their outcome is another. */
  function diagnose(): Promise<Diagnostics> {
    // One after the other: what an earlier one saw must not come after what a later one did.
    diagnosing = diagnosing.then(diagnoseNow, diagnoseNow);
    return diagnosing;
  }

  function diagnoseSoon(): void {
    diagnose().catch((error: unknown) => log.warn(`the checks failed: ${toErrorRecord(error).message}`));
  }

  async function diagnoseNow(): Promise<Diagnostics> {
    await store.reopen();
    const before = severitiesOf(diagnostics);
    diagnostics = watching.amend(await diagnosis.run());
    const { worst, checks } = diagnostics;
    bus.publishState("diagnostics", { worst, checks });
    if (severitiesOf(diagnostics) !== before) announcer.diagnosticsChanged(diagnostics);
    for (const { id } of config.roots) rootStates.set(id, rootState(diagnostics, id).isOnline);
    return diagnostics;
  }

  function reload(): ReturnType<typeof changedSettings> {
    const next = parts.readConfig().config;
    // Against what the process started with: what needs a restart goes on needing it.
    const changed = changedSettings(config, next);
    current = next;
    applySettings();
    organizing.publish();
    syncFollowers();
    return changed;
  }

  function syncFollowers(): void {
    void playlists.sync();
    void writeOut.sync();
  }

  async function configure(settings: CommandInput<"configure">): Promise<StateBody<"settings">> {
    const kept = store.settings.get();
    await store.settings.put({
      scanConcurrency: settings.scan_concurrency ?? kept.scanConcurrency,
      operationConcurrency: settings.operation_concurrency ?? kept.operationConcurrency,
      organizeStrategy: settings.organize_strategy ?? kept.organizeStrategy,
      logLevel: settings.log_level ?? kept.logLevel,
    });
    applySettings();
    return settingsInForce();
  }

  function applySettings(): void {
    live = liveSettings(current, store.settings.get());
    watching.applySettings();
    log.setLevel(live.logLevel);
    queue.setWorkers(live.workers);
    scanning.applySettings();
    holdInWindow();
    bus.publishState("settings", settingsInForce());
    publishQueue.wish();
  }

  /** In a maintenance window nothing runs. */
  function holdInWindow(): void {
    const isInside = isInWindow(live.pauseBetween, new Date());
    if (isInside === isWindowHeld) return;
    isWindowHeld = isInside;
    queue.hold("window", isInside ? "all" : null);
    log.info(isInside ? "a pause of queue.pause_between begins" : "the pause of queue.pause_between is over");
    publishQueue.wish();
  }

  /** Once a second: more or fewer workers, and whether a window begins or ends. */
  function tend(): void {
    holdInWindow();
    const { current: before } = queue.workers();
    queue.scale();
    if (queue.workers().current !== before) publishQueue.wish();
  }

  async function requestScan(root: Root, path = ""): Promise<void> {
    const asked = { force: false, priority: "normal", transaction: null } as const;
    try {
      await queue.enqueue(scanRequest({ root, path }, asked));
    } catch (error) {
      log.warn(`${path || "all"} of root ${root.id} is not scanned: ${toErrorRecord(error).message}`);
    }
  }

  function createShown(): CoversShown | null {
    const { url, port } = config.http;
    if (url === null || port === null) return null;
    const { roots, data_dir: dataDir } = config;
    return createCoversShown({
      url,
      catalogue,
      roots,
      dataDir,
      readPicture: (file) => scanning.readPicture(file),
    });
  }

  async function startHttp(): Promise<void> {
    const { host, port } = config.http;
    if (port === null || metrics === undefined) return;
    const cover = coversShown?.picture;
    const endpoint = await startEndpoint({ host, port, health: healthNow, metrics: metrics.text, cover });
    releases.defer(() => endpoint.stop());
    log.info(`/health and /metrics are answered at http://${host}:${endpoint.port}`);
  }

  /** The broker's absence is no failure: a runner that is started anew for it helps nobody. */
  function healthNow(): HealthAnswer {
    const { state, counts } = queue.snapshot();
    const mqtt = bus.status();
    const isFailing = diagnostics.worst === "fatal" || store.readOnly;
    const isDegraded = diagnostics.worst === "warn" || !mqtt.connected;
    return {
      status: isFailing ? "failing" : isDegraded ? "degraded" : "ok",
      uptime_seconds: Math.floor(process.uptime()),
      queue: { state, running: counts.running, waiting: counts.queued + counts.waiting },
      mqtt: { connected: mqtt.connected },
      worst_diagnostic: diagnostics.worst,
    };
  }

  async function start(): Promise<void> {
    for (const { check, severity, message, remedy } of diagnostics.checks) {
      if (severity !== "ok") log.warn(`${check}: ${message}${remedy === null ? "" : `; ${remedy}`}`);
    }
    for (const { id } of config.roots) rootStates.set(id, rootState(diagnostics, id).isOnline);
    releases.defer(() => scanning.close());
    const left = await queue.recover();
    await store.forgetEndedScans();
    publishInfo();
    applySettings();
    scanning.publishIdle();
    organizing.publish();
    for (const snapshot of sources.snapshots()) bus.publishState("breaker", wireBreaker(snapshot));
    bus.publishState("diagnostics", { worst: diagnostics.worst, checks: diagnostics.checks });
    publishQueue.wish();
    publishLibrary.wish();
    await hubs.start(sources.snapshots().map(({ source }) => source));
    publishInfo();
    heartbeat.start();
    releases.defer(() => bus.stop());
    releases.defer(() => {
      publishQueue.stop();
      publishLibrary.stop();
    });
    await bus.start();
    await recoverBatches();
    await organizing.expire();
    queue.start();
    publishQueue.wish();
    syncFollowers();
    idle.worked();
    releases.defer(() => queue.stop({ graceMs: stopGraceMs }));
    const looking = setInterval(() => {
      void rootStates.look();
      void store.reopen();
    }, lookIntervalMs);
    releases.defer(() => clearInterval(looking));
    const expiring = setInterval(() => void organizing.expire(), expireIntervalMs);
    releases.defer(() => clearInterval(expiring));
    const tending = setInterval(tend, tendIntervalMs);
    releases.defer(() => clearInterval(tending));
    releases.defer(() => watching.stop());
    watching.start(config.roots.map(({ id }) => id).filter((id) => rootStates.isOnline(id)));
    await startHttp();
    if (!live.scanOnStartup) return;
    const goesOn = new Set(left.map((operation) => operation.scopes[0]));
    for (const root of config.roots) {
      if (rootStates.isOnline(root.id) && !goesOn.has(`${root.id}:/`)) await requestScan(root);
    }
  }

  return { bus, start, storeChanged: diagnoseSoon };
}

/** The bus, with plugins that hear what is said on it. */
function heardBy(hubs: Hubs, options: Parameters<typeof createBus>[0]): Bus {
  const bus = createBus(options);
  return {
    ...bus,
    publishState: (key, body) => {
      hubs.stateChanged(key, body);
      bus.publishState(key, body);
    },
    publishEvent: (event) => {
      hubs.happened(event);
      bus.publishEvent(event);
    },
  };
}

/** What makes two outcomes differ: a new message about the same state is no news. */
function severitiesOf({ checks }: Diagnostics): string {
  return checks.map(({ check, severity }) => `${check} ${severity}`).join("\n");
}
