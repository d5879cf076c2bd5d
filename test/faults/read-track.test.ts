import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { audioExtensions, makeAudio } from "../../src/demo/audio/make-audio.ts";

const hasStrace = spawnSync("strace", ["-e", "trace=none", "true"]).status === 0;

describe.skipIf(!hasStrace)("reading a track from a disk that fails (needs strace)", () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tomekeeper-track-faults-"));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  async function make(extension: string): Promise<string> {
    const file = path.join(folder, `sound.${extension}`);
    await makeAudio(file, { tags: { title: "A title" }, durationSeconds: 10 });
    return file;
  }

  it.each(["EIO", "ESTALE", "ENOTCONN", "ENODEV"])("says that the disk is lost: %s", async (code) => {
    for (const extension of ["mp3", "m4b", "flac"]) {
      const file = await make(extension);
      expect(readWith(file, "pread64", code)).toEqual({ lost: true, code, path: file });
      expect(readWith(file, "openat", code)).toEqual({ lost: true, code, path: file });
    }
  });

  it("does not take a failing read for damage in any format, beyond the first bytes too", async () => {
    for (const extension of audioExtensions) {
      const file = path.join(folder, `large.${extension}`);
      const picture = Buffer.concat([Buffer.from("ffd8ffe0", "hex"), Buffer.alloc(300_000, 7)]);
      const withPicture = extension === "webm" ? {} : { picture };
      await makeAudio(file, { tags: { title: "A title" }, durationSeconds: 30, ...withPicture });
      const outcome = readWith(file, "pread64", "EIO", 2);
      // A format that needs one read only is read.
      if (!("ok" in outcome && outcome.ok))
        expect(outcome, extension).toMatchObject({ lost: true, code: "EIO" });
    }
  });

  it("is a problem of the file where the system forbids it", async () => {
    const file = await make("mp3");
    expect(readWith(file, "openat", "EACCES")).toMatchObject({ ok: false, code: "unreadable_file" });
    expect(readWith(file, "pread64", "EOVERFLOW")).toMatchObject({
      ok: false,
      code: "unreadable_file",
      message: expect.stringContaining("EOVERFLOW"),
    });
  });
});

/** Reads the file in a process whose calls of one kind on that file fail, from the given one on. */
function readWith(file: string, call: string, code: string, from = 1): Record<string, unknown> {
  const reader = new URL("../../src/scan/read-track.ts", import.meta.url).href;
  const script = `const { createTrackReader } = await import(${JSON.stringify(reader)});
    process.stdout.write(JSON.stringify(createTrackReader()(${JSON.stringify(file)})));`;
  const inject = `inject=${call}:error=${code}:when=${from}+`;
  const strace = ["-f", "-qq", "-o", "/dev/null", "-P", file, "-e", `trace=${call}`, "-e", inject];
  const node = [process.execPath, "--input-type=module", "-e", script];
  return JSON.parse(execFileSync("strace", [...strace, ...node], { encoding: "utf8" }));
}
