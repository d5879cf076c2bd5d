import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareNames, comparePaths } from "../../src/domain/order.ts";
import type { FolderEntry, ScanUnit } from "../../src/domain/scan.ts";
import { createUnitBuilder, unitPathOf } from "../../src/scan/group.ts";

/** The folders of a tree as the walk yields them, from the paths of its files. */
function foldersOf(paths: readonly string[], emptyFolders: readonly string[] = []): readonly FolderEntry[] {
  const folders = new Set<string>([""]);
  const addFolder = (folder: string): void => {
    for (let path = folder; path !== ""; path = parentOf(path)) folders.add(path);
  };
  for (const path of paths) addFolder(parentOf(path));
  for (const folder of emptyFolders) addFolder(folder);
  return [...folders].sort(comparePaths).map((folder) => ({
    path: folder,
    files: namesIn(paths, folder).map((name) => ({ name, sizeBytes: 1, mtimeMs: 1 })),
    folders: namesIn(
      [...folders].filter((path) => path !== ""),
      folder,
    ),
    problems: [],
  }));
}

function namesIn(paths: readonly string[], folder: string): readonly string[] {
  return paths
    .filter((path) => parentOf(path) === folder)
    .map((path) => path.slice(path.lastIndexOf("/") + 1))
    .sort(compareNames);
}

function parentOf(path: string): string {
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function build(folders: readonly FolderEntry[]): readonly ScanUnit[] {
  const builder = createUnitBuilder();
  return [...folders.flatMap((folder) => builder.push(folder).units), ...builder.end()];
}

function namesOf(units: readonly ScanUnit[]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(units.map((unit) => [unit.path, unit.files.map((file) => file.name)]));
}

describe("unit builder", () => {
  it("makes a unit of every folder with audio, with all its files", () => {
    const units = build(foldersOf(["A/B/01.mp3", "A/B/cover.jpg", "A/C/x.m4b", "A/notes.txt", "loose.mp3"]));
    expect(namesOf(units)).toEqual({
      "": ["loose.mp3"],
      "A/B": ["01.mp3", "cover.jpg"],
      "A/C": ["x.m4b"],
    });
  });

  it("joins disc folders with their parent, with or without audio of its own", () => {
    const units = build(
      foldersOf([
        "A/B/CD1/01.mp3",
        "A/B/Disc 02/01.mp3",
        "A/B/cover.jpg",
        "A/C/Part 4/a.mp3",
        "A/C/intro.mp3",
      ]),
    );
    expect(namesOf(units)).toEqual({
      "A/B": ["cover.jpg", "CD1/01.mp3", "Disc 02/01.mp3"],
      "A/C": ["intro.mp3", "Part 4/a.mp3"],
    });
  });

  it("joins the discs of parts", () => {
    const units = build(foldersOf(["B/Part 1/CD 1/1.mp3", "B/Part 1/CD 2/1.mp3", "B/Part 2/CD 1/1.mp3"]));
    expect(namesOf(units)).toEqual({
      B: ["Part 1/CD 1/1.mp3", "Part 1/CD 2/1.mp3", "Part 2/CD 1/1.mp3"],
    });
  });

  it("holds back what lies between a folder and its last disc folder, and keeps the order", () => {
    const folders = foldersOf(["B/CD1/1.mp3", "B/Extras/talk.mp3", "B/Part 2/1.mp3", "C/1.mp3"]);
    const builder = createUnitBuilder();
    const steps = folders.map((folder) => {
      const { units, doneUpTo } = builder.push(folder);
      return [folder.path, units.map((unit) => unit.path), doneUpTo];
    });
    expect(steps).toEqual([
      ["", [], ""],
      ["B", [], ""],
      ["B/CD1", [], ""],
      ["B/Extras", [], ""],
      ["B/Part 2", ["B", "B/Extras"], "B/Part 2"],
      ["C", ["C"], "C"],
    ]);
    expect(builder.end()).toEqual([]);
  });

  it("treats the folders below a disc folder that are no discs as folders of their own", () => {
    const units = build(foldersOf(["B/CD1/1.mp3", "B/CD1/Bonus/2.mp3", "B/CD2/1.mp3"]));
    expect(namesOf(units)).toEqual({ B: ["CD1/1.mp3", "CD2/1.mp3"], "B/CD1/Bonus": ["2.mp3"] });
  });

  it("does not wait for a disc folder that vanished before it was listed", () => {
    const folders = foldersOf(["B/CD1/1.mp3", "B/CD2/1.mp3", "B/CD3/1.mp3", "C/1.mp3"]);
    const builder = createUnitBuilder();
    const seen = folders.filter((folder) => folder.path !== "B/CD1" && folder.path !== "B/CD3");
    const steps = seen.map((folder) => builder.push(folder).units.map((unit) => unit.path));
    expect(steps).toEqual([[], [], [], ["B", "C"]]);
  });

  it("gives what is still held when the stream ends", () => {
    const [root, book] = foldersOf(["B/1.mp3"], ["B/CD1"]);
    const builder = createUnitBuilder();
    if (root === undefined || book === undefined) throw new Error("the tree has two folders");
    expect(builder.push(root)).toEqual({ units: [], doneUpTo: "" });
    expect(builder.push(book)).toEqual({ units: [], doneUpTo: "" });
    expect(namesOf(builder.end())).toEqual({ B: ["1.mp3"] });
    expect(builder.end()).toEqual([]);
  });

  it("says that nothing is done while the first folder waits for its discs", () => {
    const [, book] = foldersOf(["B/CD1/1.mp3"]);
    if (book === undefined) throw new Error("the tree has a book");
    expect(createUnitBuilder().push(book)).toEqual({ units: [], doneUpTo: null });
  });

  it("leaves disc folders of the root on their own beside other folders, and joins them where there are none", () => {
    expect(namesOf(build(foldersOf(["Author/B/1.mp3", "Part 9/1.mp3"])))).toEqual({
      "Author/B": ["1.mp3"],
      "Part 9": ["1.mp3"],
    });
    expect(namesOf(build(foldersOf(["CD1/1.mp3", "CD2/1.mp3"])))).toEqual({ "": ["CD1/1.mp3", "CD2/1.mp3"] });
  });

  it("takes a disc folder that nobody announced as an ordinary folder", () => {
    const folders = foldersOf(["B/CD1/1.mp3"]).filter((folder) => folder.path === "B/CD1");
    expect(namesOf(build(folders))).toEqual({ "B/CD1": ["1.mp3"] });
  });

  it("says whether a folder has others than its disc folders", () => {
    const units = build(foldersOf(["A/1.mp3", "A/B/1.mp3", "C/CD1/1.mp3", "C/CD1/Bonus/1.mp3"]));
    expect(units.map((unit) => [unit.path, unit.hasOtherFolders])).toEqual([
      ["A", true],
      ["A/B", false],
      ["C", false],
      ["C/CD1/Bonus", false],
    ]);
  });

  it("yields every audio file once and in order for any tree, also when the walk goes on after doneUpTo", () => {
    const name = fc.constantFrom("A", "B", "CD1", "CD2", "Part 10", "Disc 3", "Z");
    const file = fc
      .tuple(fc.array(name, { maxLength: 4 }), fc.constantFrom("1.mp3", "2.mp3", "cover.jpg"))
      .map(([folders, base]) => [...folders, base].join("/"));
    fc.assert(
      fc.property(fc.uniqueArray(file, { maxLength: 25 }), fc.nat(), (paths, pick) => {
        const folders = foldersOf(paths);
        const whole = build(folders);
        const audio = whole.flatMap((unit) =>
          unit.files.map((entry) => (unit.path === "" ? entry.name : `${unit.path}/${entry.name}`)),
        );
        const expected = paths.filter((path) => path.endsWith(".mp3"));
        expect(audio.filter((path) => path.endsWith(".mp3")).sort()).toEqual([...expected].sort());
        expect(whole.map((unit) => unit.path)).toEqual(whole.map((unit) => unit.path).sort(comparePaths));

        const stopAfter = pick % folders.length;
        const builder = createUnitBuilder();
        const before: ScanUnit[] = [];
        let cursor: string | null = null;
        for (const folder of folders.slice(0, stopAfter + 1)) {
          const progress = builder.push(folder);
          before.push(...progress.units);
          cursor = progress.doneUpTo;
        }
        const done = cursor;
        const kept = before.filter((unit) => done !== null && comparePaths(unit.path, done) <= 0);
        const rest = folders.filter((folder) => done === null || comparePaths(folder.path, done) > 0);
        expect([...kept, ...build(rest)]).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });
});

describe("unitPathOf", () => {
  it("climbs out of disc folders", () => {
    expect(unitPathOf("A/B")).toBe("A/B");
    expect(unitPathOf("A/B/CD1")).toBe("A/B");
    expect(unitPathOf("A/B/Part 1/CD 2")).toBe("A/B");
    expect(unitPathOf("A/B/CD1/Bonus")).toBe("A/B/CD1/Bonus");
    expect(unitPathOf("CD1")).toBe("");
    expect(unitPathOf("")).toBe("");
  });
});
