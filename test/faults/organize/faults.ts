import { spawn, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import { makeBenchLibrary } from "../../../bench/make-library.ts";
import { makeAudio } from "../../../src/demo/audio/make-audio.ts";
import { contents, hashOf } from "../../organize/library.ts";

const main = path.resolve(import.meta.dirname, "../../../src/main.ts");
const driver = path.join(import.meta.dirname, "driver.ts");

export const canPreload = process.platform === "linux" && spawnSync("cc", ["--version"]).status === 0;

/** In the track of one book, and to be put beside it. */
const picture = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(3000, 7)]);
const pictureHash = hashOf(picture);

/** What a step said before it ended or was killed; null where it said nothing. */
export interface StepOutcome {
  readonly ok: boolean;
  readonly error?: { readonly code: string; readonly message: string };
  readonly books: readonly {
    readonly id: string;
    readonly root: string;
    readonly tracks: readonly string[];
    readonly companions: readonly string[];
  }[];
  readonly batches: readonly {
    readonly operationId: string;
    readonly state: string;
    readonly summary: Readonly<Record<string, unknown>> | null;
  }[];
  readonly warnings: readonly string[];
  readonly issues: readonly { readonly severity: string; readonly message: string }[];
}

export interface Fault {
  /** The how manieth call that changes a disk. */
  readonly at: number;
  readonly kind: "kill" | "cut" | "fail" | "short";
  readonly errno?: string;
  /** Mount point of the file system that is cut off. */
  readonly disk?: string;
}

/** A place with the library that counts and the folder that every try begins with. */
export class FaultBench {
  readonly folder: string;
  readonly #library: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#library = path.join(folder, "fault.so");
  }

  /** Three scanned books in the inbox, eleven files and a cover; one has a picture in a track. */
  static async make(): Promise<FaultBench> {
    const bench = new FaultBench(mkdtempSync(path.join(os.tmpdir(), "tomekeeper-faults-")));
    const source = path.join(import.meta.dirname, "fault.c");
    must("cc", "-shared", "-fPIC", "-O1", "-o", bench.#library, source, "-ldl");
    const base = bench.at("base");
    mkdirSync(path.join(base, "library"), { recursive: true });
    const made = await makeBenchLibrary(bench.at("made"), 11);
    renameSync(made.path, path.join(base, "inbox"));
    writeFileSync(path.join(base, "inbox/Author 0000000/Series 0000000/Book 0000000/cover.jpg"), "a picture");
    const withPicture = path.join(base, "inbox/Author 0000000/Series 0000000/Book 0000001");
    const [track = ""] = readdirSync(withPicture);
    await makeAudio(path.join(withPicture, track), { tags: { album: "Pictured" }, picture });
    const roots = ["--library", path.join(base, "library"), "--inbox", path.join(base, "inbox")];
    must(process.execPath, main, "scan", ...roots, "--data", path.join(base, "data"), "--json");
    return bench;
  }

  at(name: string): string {
    return path.join(this.folder, name);
  }

  /** The base as it was, in a folder of its own. */
  copyTo(folder: string): void {
    // Node's own copy keeps times to the microsecond.
    must("cp", "-a", this.at("base"), folder);
  }

  async step(
    folder: string,
    step: readonly string[],
    { fault, noSync = false }: { readonly fault?: Fault; readonly noSync?: boolean } = {},
  ): Promise<{ readonly outcome: StepOutcome | null; readonly calls: number; readonly stderr: string }> {
    const count = `${folder}.count`;
    rmSync(count, { force: true });
    const child = spawn(process.execPath, [driver, folder, ...step], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        // One thread for the disk, so that the calls come in one order.
        UV_THREADPOOL_SIZE: "1",
        LD_PRELOAD: this.#library,
        FAULT_COUNT: count,
        ...(fault === undefined ? {} : { FAULT_AT: String(fault.at), FAULT_KIND: fault.kind }),
        ...(fault?.errno === undefined ? {} : { FAULT_ERRNO: fault.errno }),
        ...(fault?.disk === undefined ? {} : { FAULT_DISK: fault.disk }),
        ...(noSync ? { FAULT_NOSYNC: "1" } : {}),
      },
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    await new Promise((resolve) => child.on("close", resolve));
    const [said] = stdout.split("\n");
    return {
      outcome: said === undefined || said === "" ? null : JSON.parse(said),
      calls: Number(readIfThere(count) ?? "0"),
      stderr,
    };
  }

  /** What is wrong with a folder after recovery: nothing may be lost, half done, or known differently than it is. */
  async problems(folder: string, { books, batches, issues }: StepOutcome): Promise<readonly string[]> {
    const before = await contents(path.join(this.at("base"), "inbox"));
    const inbox = await contents(path.join(folder, "inbox"));
    const library: Record<string, string> = { ...(await contents(path.join(folder, "library"))) };
    const problems: string[] = [];
    const covers = Object.keys(library).filter((name) => library[name] === pictureHash);
    for (const name of covers) delete library[name];
    const all = { ...prefixed("inbox", inbox), ...prefixed("library", library) };
    const placed = Object.values(library).sort();
    const wanted = Object.values(before).sort();
    for (const name of Object.keys(all))
      if (name.includes(".tomekeeper-")) problems.push(`left over: ${name}`);
    for (const [name, hash] of Object.entries(before)) {
      if (inbox[name] !== hash && !placed.includes(hash)) problems.push(`lost: ${name}`);
    }
    // What fails while the picture is taken out of its track keeps no book back.
    const isLeftOut = batches.some(({ summary }) => summary?.["cover_problem_count"] === 1);
    if (placed.length > 0 && covers.length !== (isLeftOut ? 0 : 1))
      problems.push(`half done: ${covers.length} covers`);
    if (placed.length === 0 && covers.length > 0) problems.push(`left over: ${covers}`);
    if (placed.length > 0 && placed.join() !== wanted.join())
      problems.push(`half done: ${placed.length} files`);
    const known = books.flatMap(({ tracks, companions }) => [...tracks, ...companions]);
    for (const file of known) if (all[file] === undefined) problems.push(`known and not there: ${file}`);
    for (const file of Object.keys(prefixed("library", library))) {
      if (!known.includes(file)) problems.push(`there and not known: ${file}`);
    }
    if (placed.length === 0) {
      for (const file of Object.keys(prefixed("inbox", inbox))) {
        if (!known.includes(file)) problems.push(`there and not known: ${file}`);
      }
    }
    if (books.length !== 3) problems.push(`${books.length} books`);
    for (const { state } of batches) if (state === "open") problems.push("a batch is still open");
    for (const { severity, message } of issues) if (severity === "fatal") problems.push(message);
    return problems;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Of `total` points so many, evenly and from a random one on; all with FAULT_POINTS=all. */
export function pointsOf(total: number, most: number): readonly number[] {
  const all = Array.from({ length: total }, (_, index) => index + 1);
  if (process.env["FAULT_POINTS"] === "all" || total <= most) return all;
  const stride = total / most;
  const from = Math.random() * stride;
  return Array.from({ length: most }, (_, index) => Math.floor(from + index * stride) + 1);
}

/** Runs the work for each point, two at a time: that many cores every machine has. */
export async function forEachPoint(
  points: readonly number[],
  work: (point: number) => Promise<void>,
): Promise<void> {
  const left = [...points];
  const worker = async (): Promise<void> => {
    for (let point = left.shift(); point !== undefined; point = left.shift()) await work(point);
  };
  await Promise.all([worker(), worker()]);
}

export function must(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}

function prefixed(root: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, hash]) => [`${root}/${name}`, hash]));
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
