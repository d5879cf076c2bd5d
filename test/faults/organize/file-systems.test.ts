import { spawnSync } from "node:child_process";
import { chmodSync, readdirSync, rmSync, statfsSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  canMount,
  type FileSystemKind,
  type MountedFileSystem,
  mountFileSystem,
} from "../../fixtures/file-systems.ts";
import { type Organizer, openOrganizer } from "../../organize/batches.ts";
import { contents, snapshot } from "../../organize/library.ts";
import { must } from "./faults.ts";

/* Every way to place files, on the file systems that people have, and between two of them; then back again. */
const hasAttributeTools = ["setfattr", "setfacl"].every((tool) => spawnSync("which", [tool]).status === 0);
const kinds: readonly FileSystemKind[] = ["ext4", "xfs", "tmpfs"];
const files = {
  "Dune/01.mp3": "Frank Herbert/Dune/Dune - 01.mp3",
  "Dune/02.mp3": "Frank Herbert/Dune/Dune - 02.mp3",
  "Dune/cover.jpg": "Frank Herbert/Dune/cover.jpg",
  "Emma/emma.m4b": "Jane Austen/Emma/Emma.m4b",
};

describe.each(kinds)("on %s", (kind) => {
  let disk: MountedFileSystem;

  beforeAll(() => {
    if (canMount(kind)) disk = mountFileSystem(kind);
  });
  afterAll(() => disk?.dispose());

  const strategies =
    kind === "xfs"
      ? (["auto", "reflink", "hardlink", "copy", "symlink", "move"] as const)
      : (["auto", "hardlink", "copy", "symlink", "move"] as const);

  test.skipIf(!canMount(kind)).each(strategies)(
    "%s and back leaves both trees as they were (needs root)",
    async (strategy) => {
      const { folder, organizer } = await prepare(disk.path);
      const before = await trees(folder);
      const free = statfsSync(disk.path).bavail * statfsSync(disk.path).bsize;
      const summary = await organizer.organize(files, { id: "batch", strategy });
      expect(summary).toMatchObject({ files: 4, strategy: { [methodOf(kind, strategy)]: 4 } });
      expect(Object.keys(await contents(folder.library)).sort()).toEqual(Object.values(files).sort());
      if (methodOf(kind, strategy) !== "copy") {
        // A link or a reflink of 4 MB takes no room to speak of.
        const left = statfsSync(disk.path).bavail * statfsSync(disk.path).bsize;
        expect(free - left).toBeLessThan(1_000_000);
      }
      await organizer.undo("batch");
      expect(await trees(folder)).toEqual(before);
      await organizer.close();
    },
  );

  test.skipIf(kind === "xfs" || !canMount(kind))(
    "a reflink is refused with what helps (needs root)",
    async () => {
      const { folder, organizer } = await prepare(disk.path);
      const failure = organizer.organize(files, { strategy: "reflink" });
      await expect(failure).rejects.toMatchObject({
        code: "conflict",
        message: expect.stringContaining("auto or copy"),
      });
      expect(await contents(folder.library)).toEqual({});
      await organizer.close();
    },
  );

  test.skipIf(!canMount(kind) || !hasAttributeTools)(
    "extended attributes and access lists come along with a copy (needs root, attr, acl)",
    async () => {
      const { folder, organizer } = await prepare(disk.path);
      const source = path.join(folder.inbox, "Dune/02.mp3");
      must("setfattr", "-n", "user.tomekeeper", "-v", "kept", source);
      must("setfacl", "-m", "u:1:r", source);
      await organizer.organize(files, { strategy: "copy" });
      const listed = (file: string): string =>
        spawnSync("getfattr", ["-d", "-m", "-", "--absolute-names", file], {
          encoding: "utf8",
        }).stdout.replace(/^#.*\n/m, "");
      const copied = path.join(folder.library, files["Dune/02.mp3"]);
      expect(listed(copied)).toBe(listed(source));
      expect(listed(copied)).toContain('user.tomekeeper="kept"');
      await organizer.close();
    },
  );
});

describe.skipIf(!canMount("xfs") || !canMount("ext4"))("between two file systems (needs root)", () => {
  let from: MountedFileSystem;
  let to: MountedFileSystem;

  beforeAll(() => {
    from = mountFileSystem("ext4");
    to = mountFileSystem("xfs");
  });
  afterAll(() => {
    from?.dispose();
    to?.dispose();
  });

  test.each(["auto", "copy", "symlink", "move"] as const)(
    "%s and back leaves both trees as they were",
    async (strategy) => {
      const { folder, organizer } = await prepare(from.path, to.path);
      const before = await trees(folder);
      const summary = await organizer.organize(files, { id: "batch", strategy });
      expect(summary).toMatchObject({
        files: 4,
        strategy: { [strategy === "symlink" ? "symlink" : "copy"]: 4 },
      });
      if (strategy === "move") {
        // What was moved is kept beside where it was, until the trash is emptied.
        expect(readdirSync(folder.inbox)).toEqual([".tomekeeper-trash"]);
        expect(Object.keys(await contents(folder.inbox))).toHaveLength(4);
      }
      await organizer.undo("batch");
      expect(await trees(folder)).toEqual(before);
      await organizer.close();
    },
  );

  test("an undo of a move brings the files back from where they are when the trash was emptied", async () => {
    const { folder, organizer } = await prepare(from.path, to.path);
    const before = await contents(folder.inbox);
    await organizer.organize(files, { id: "batch", strategy: "move" });
    rmSync(path.join(folder.inbox, ".tomekeeper-trash"), { recursive: true });
    await organizer.undo("batch");
    expect(await contents(folder.inbox)).toEqual(before);
    expect(await contents(folder.library)).toEqual({});
    await organizer.close();
  });

  test("a hardlink is refused with what helps", async () => {
    const { organizer } = await prepare(from.path, to.path);
    await expect(organizer.organize(files, { strategy: "hardlink" })).rejects.toMatchObject({
      details: { code: "cross_device" },
    });
    await organizer.close();
  });
});

describe.skipIf(!canMount("tmpfs"))("when the disk is full in the middle (needs root)", () => {
  test("the batch is taken back, and goes through after space was freed", async () => {
    const disk = mountFileSystem("tmpfs", 4);
    try {
      const { folder, organizer } = await prepare(path.dirname(disk.path), disk.path);
      writeFileSync(path.join(disk.path, "library-filler"), Buffer.alloc(3 * 1024 * 1024));
      const failure = organizer.organize(files, { id: "batch", strategy: "copy" });
      await expect(failure).rejects.toMatchObject({
        retryable: true,
        message: expect.stringContaining("Free space"),
      });
      expect(await contents(folder.library)).toEqual({});
      rmSync(path.join(disk.path, "library-filler"));
      expect(await organizer.organize(files, { id: "batch", strategy: "copy" })).toMatchObject({ files: 4 });
      await organizer.close();
    } finally {
      disk.dispose();
    }
  });
});

let number = 0;

async function prepare(disk: string, other = disk) {
  const base = path.join(disk, `try-${++number}`);
  const library = path.join(other, `library-${number}`);
  const organizer: Organizer = await openOrganizer(base, library);
  const inbox = path.join(base, "inbox");
  for (const [index, name] of Object.keys(files).entries()) {
    const file = path.join(inbox, name);
    spawnSync("mkdir", ["-p", path.dirname(file)]);
    writeFileSync(file, Buffer.alloc(1024 * 1024, index + 1));
  }
  chmodSync(path.join(inbox, "Dune/01.mp3"), 0o600);
  utimesSync(path.join(inbox, "Dune/01.mp3"), 1_600_000_000, 1_600_000_000);
  return { folder: { inbox, library }, organizer };
}

async function trees({ inbox, library }: { readonly inbox: string; readonly library: string }) {
  return { inbox: await snapshot(inbox), library: await snapshot(library) };
}

function methodOf(kind: FileSystemKind, strategy: string): string {
  if (strategy === "auto") return kind === "xfs" ? "reflink" : "hardlink";
  return strategy === "move" ? "hardlink" : strategy;
}
