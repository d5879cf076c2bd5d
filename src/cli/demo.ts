import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandData } from "../bus/topics.ts";
import { loadConfig } from "../config/load.ts";
import { type DemoLibrary, makeLibrary } from "../demo/make-library.ts";
import type { CommandLine } from "./command-line.ts";
import { connectDemoClient, type DemoClient } from "./demo-client.ts";
import { createTopicLines } from "./demo-topics.ts";
import { countText, durationText, statusStyle, styled } from "./format.ts";
import { previewTree } from "./organize-preview.ts";
import { organizeSummaryText, undoSummaryText } from "./organize-summary.ts";
import { scanSummaryText } from "./scan-summary.ts";
import { startRunner } from "./start-runner.ts";
import { type Column, tableText } from "./table.ts";

export interface DemoFlags {
  /** Keep the runner and its library up until interrupted. */
  readonly stay: boolean;
}

const lastTopicsMs = 1200;

/** `tomekeeper demo`: a runner at work on a small library of its own, in a temporary folder that goes again. */
export async function demo(flags: DemoFlags, commandLine: CommandLine): Promise<number> {
  // Lines longer than that are no easier to read, in a file neither.
  const line = { ...commandLine, columns: Math.min(commandLine.columns, 120) };
  const releases = new AsyncDisposableStack();
  try {
    const dir = await mkdtemp(path.join(os.tmpdir(), "tomekeeper-demo-"));
    const removeNow = () => rmSync(dir, { recursive: true, force: true });
    // Where the process ends at once: a second Ctrl+C, `| head`.
    process.once("exit", removeNow);
    releases.defer(async () => {
      await rm(dir, { recursive: true, force: true });
      process.off("exit", removeNow);
    });
    const library = await makeLibrary(dir);
    heading(line, "An audiobook library, in the ways in which people lay them out");
    line.out(layoutText(library, line));
    line.out(`${countText(library.fileCount, "audio file")} of ${library.formats.length} formats, in ${dir}`);

    heading(line, "A runner with its own broker, and an ordinary MQTT client beside it");
    const config = demoConfig(library, dir);
    const app = await startRunner(config, () => config);
    releases.defer(() => app.stop());
    line.out(`tomekeeper ready ${app.ready.url} ${app.ready.base}\n`);
    const topics = createTopicLines(line);
    const startedMs = performance.now();
    let isShowing = true;
    const client = await connectDemoClient(app.ready.url, app.ready.base, (message) => {
      if (!isShowing) return;
      for (const text of topics.heard(message, performance.now() - startedMs)) line.out(text);
    });
    releases.defer(() => client.close());
    const scanned = await client.ask("scan", {}, line.signal);
    // The totals follow the answer within the second that their topic may take.
    await sleep(lastTopicsMs, undefined, { signal: line.signal });
    isShowing = false;
    for (const text of topics.rest()) line.out(text);

    heading(line, "What came of it");
    line.out(scanSummaryText(scanned, line));
    await showCatalogue(client, line);
    await showQueries(client, line);
    await showOrganizing(client, line);
    heading(line, "What next");
    line.out(nextSteps(flags.stay ? app.ready : null, library));
    if (flags.stay) await aborted(line.signal);
    return 0;
  } catch (error) {
    // Interrupted: that is an end like any other.
    if (line.signal.aborted) return 0;
    throw error;
  } finally {
    await releases.disposeAsync();
  }
}

/** Its own settings only: whatever is configured on this machine must not change the show. */
function demoConfig(library: DemoLibrary, dir: string) {
  const roots = [
    { id: "audiobooks", path: library.libraryPath, kind: "library" },
    { id: "inbox", path: library.inboxPath, kind: "inbox" },
  ];
  const setting = (keys: string, value: unknown) => ({ path: keys.split("."), flag: "demo", value });
  return loadConfig({
    file: null,
    flags: [
      setting("data_dir", path.join(dir, "data")),
      setting("node", "demo"),
      setting("roots", roots),
      setting("mqtt.embedded.port", 0),
      setting("scan.on_startup", false),
      setting("log_level", "error"),
    ],
    env: {},
    cwd: dir,
    home: dir,
  });
}

function heading(line: CommandLine, text: string): void {
  line.out(`\n${styled(line, ["bold", "blue"], text)}\n`);
}

function layoutText({ folders }: DemoLibrary, line: CommandLine): string {
  const columns: readonly Column[] = [
    { title: "Folder", least: 44 },
    { title: "Files", least: 6, expendable: 1 },
    { title: "What it shows", least: 30, style: () => "dim" },
  ];
  const rows = (["audiobooks", "inbox"] as const).flatMap((root) => [
    [`${root}/`],
    ...layoutRows(folders.filter((folder) => folder.root === root)),
  ]);
  return `${tableText(line, columns, rows)}\n`;
}

/** What lies more than two folders deep stands below a line for the folders above it. */
function layoutRows(folders: DemoLibrary["folders"]): readonly (readonly string[])[] {
  let above = "";
  return folders.flatMap(({ path: folder, audio, shows }) => {
    const isDeep = folder.split("/").length > 2;
    const parent = isDeep ? path.posix.dirname(folder) : "";
    const isNew = isDeep && parent !== above;
    above = parent;
    const name = folder === "" ? audio.join(", ") : `${isDeep ? path.posix.basename(folder) : folder}/`;
    const formats = new Set(audio.map((file) => path.extname(file).slice(1)));
    const row = [`${isDeep ? "    " : "  "}${name}`, `${audio.length} ${[...formats].join(", ")}`, shows];
    return isNew ? [[`  ${parent}/`], row] : [row];
  });
}

type FoundBook = CommandData<"query">["items"][number];

const bookColumns: readonly Column[] = [
  { title: "Title", least: 20 },
  { title: "Author", least: 16 },
  { title: "Series", least: 14 },
  { title: "Narrator", least: 12, expendable: 1 },
  { title: "Length", least: 11, align: "right" },
  { title: "Format", least: 4, expendable: 3 },
  { title: "State", least: 7, expendable: 2, style: statusStyle },
];

async function showCatalogue(client: DemoClient, line: CommandLine): Promise<void> {
  heading(line, "The catalogue, by author");
  const { items } = await client.ask("query", { sort: "author" }, line.signal);
  line.out(tableText(line, bookColumns, items.map(row)));
}

async function showQueries(client: DemoClient, line: CommandLine): Promise<void> {
  heading(line, "Asked over MQTT");
  const queries = [{ narrator: "harriet vale" }, { series: "oz", sort: "series" }, { text: "emile germ" }];
  for (const query of queries) {
    const { items, total } = await client.ask("query", query, line.signal);
    line.out(
      `${styled(line, "magenta", "cmd/query")} ${JSON.stringify(query)}  → ${countText(total, "book")}`,
    );
    for (const book of items) {
      const series = seriesText(book);
      const by = book.authors.join(", ");
      line.out(`  ${styled(line, "bold", book.title)} by ${by}${series === "" ? "" : ` (${series})`}`);
    }
  }
}

/** The inbox put in order, and taken back: what a plan says, what came of it, and that nothing stays of it. */
async function showOrganizing(client: DemoClient, line: CommandLine): Promise<void> {
  heading(line, "What is in the inbox put where it belongs, and back again");
  const asked = (command: string, payload: object): string =>
    `${styled(line, "magenta", `cmd/${command}`)} ${JSON.stringify(payload)}`;
  line.out(asked("organize", { dry_run: true }));
  const plan = await client.ask("organize", { dry_run: true }, line.signal);
  if ("move_count" in plan) line.out(previewTree(plan, line.columns));
  line.out(`\n${asked("organize", {})}`);
  line.out(organizeSummaryText(await client.ask("organize", {}, line.signal)));
  line.out(`\n${asked("undo", {})}`);
  line.out(undoSummaryText(await client.ask("undo", {}, line.signal)));
}

function row(book: FoundBook): readonly string[] {
  return [
    book.title,
    book.authors.join(", "),
    seriesText(book),
    book.narrators.join(", "),
    durationText(book.duration_seconds),
    book.format,
    book.state,
  ];
}

function seriesText(book: FoundBook): string {
  return book.series
    .map(({ name, position }) => (position === null ? name : `${name} #${position}`))
    .join(", ");
}

/** `staying`: the runner, if it stays up. */
function nextSteps(
  staying: { readonly url: string; readonly base: string } | null,
  library: DemoLibrary,
): string {
  if (staying === null) {
    return [
      "  npm run demo -- --stay                keep it up, to try its topics yourself",
      "  npm start -- --library ~/Audiobooks   run it on your own books",
      "  node src/main.ts status               watch it at work",
      "  node src/main.ts --help               everything else",
    ].join("\n");
  }
  const { hostname, port } = new URL(staying.url);
  const at = `-h ${hostname} -p ${port}`;
  return [
    "The runner stays up until you press Ctrl+C. In another terminal:\n",
    `  mosquitto_sub ${at} -v -t '${staying.base}/#'`,
    `  mosquitto_pub ${at} -q 1 -t ${staying.base}/cmd/query -m '{"text":"emma"}'`,
    `  mosquitto_pub ${at} -q 1 -t ${staying.base}/cmd/scan -m '{}'`,
    "\nIts library, to add, rename and remove things in:\n",
    `  ${library.libraryPath}`,
  ].join("\n");
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
