import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BookFields } from "../../src/domain/book.ts";
import { type NameEvidence, readPathNames } from "../../src/scan/path-names.ts";

const nobody: NameEvidence = { authors: [], title: null };

function read(path: string, evidence: Partial<NameEvidence> = {}): BookFields {
  return namesOf(path, evidence).fields;
}

function namesOf(path: string, evidence: Partial<NameEvidence> = {}) {
  const folders = path.split("/");
  const name = folders.pop() ?? null;
  return readPathNames({ folders, name }, { ...nobody, ...evidence });
}

const series = (name: string, position: string | null) => [{ name, position }];

describe("folders", () => {
  it("reads Author/Series/Title and Author/Title", () => {
    expect(read("Brandon Sanderson/Mistborn/The Final Empire")).toEqual({
      title: "The Final Empire",
      authors: ["Brandon Sanderson"],
      series: series("Mistborn", null),
    });
    expect(read("Brandon Sanderson/Elantris")).toEqual({ title: "Elantris", authors: ["Brandon Sanderson"] });
  });

  it("takes the last two of deeper folders, and the author among them whom the tags name", () => {
    expect(read("Fantasy/Brandon Sanderson/Mistborn/The Final Empire")).toMatchObject({
      authors: ["Brandon Sanderson"],
      series: series("Mistborn", null),
    });
    expect(read("Fantasy/Brandon Sanderson/Elantris", { authors: ["brandon sanderson"] })).toEqual({
      title: "Elantris",
      authors: ["Brandon Sanderson"],
    });
    expect(
      read("Brandon Sanderson/Cosmere/Mistborn/The Final Empire", { authors: ["Brandon Sanderson"] }),
    ).toMatchObject({ authors: ["Brandon Sanderson"], series: series("Mistborn", null) });
  });

  it("finds several authors and inverted ones in an author's folder", () => {
    expect(read("Terry Pratchett & Neil Gaiman/Good Omens").authors).toEqual([
      "Terry Pratchett",
      "Neil Gaiman",
    ]);
    expect(read("Le Guin, Ursula K_/The Dispossessed").title).toBe("The Dispossessed");
    expect(read("Le Guin, Ursula K./The Dispossessed").authors).toEqual(["Ursula K. Le Guin"]);
  });

  it("takes folders that only sort a disk for nobody's name", () => {
    expect(read("Audiobooks/Brandon Sanderson/Elantris").authors).toEqual(["Brandon Sanderson"]);
    expect(read("Downloads/Frank Herbert - Dune")).toEqual({ title: "Dune", authors: ["Frank Herbert"] });
  });

  it("says what the folders say of a book that has no name of its own", () => {
    const place = { folders: ["Brandon Sanderson", "Mistborn"], name: null };
    expect(readPathNames(place, nobody)).toEqual({
      fields: { authors: ["Brandon Sanderson"], series: series("Mistborn", null) },
      titleIsBareName: false,
    });
    expect(readPathNames({ folders: [], name: null }, nobody).fields).toEqual({});
  });
});

describe("author and title in one name", () => {
  it.each([
    ["Frank Herbert - Dune", "Frank Herbert", "Dune"],
    ["George Orwell - 1984", "George Orwell", "1984"],
    ["Homer - The Odyssey", "Homer", "The Odyssey"],
    ["Voltaire - Candide", "Voltaire", "Candide"],
    ["King, Stephen - It", "Stephen King", "It"],
    ["Frank Herbert - Dune Messiah", "Frank Herbert", "Dune Messiah"],
    ["Frank Herbert – Dune", "Frank Herbert", "Dune"],
    ["Frank_Herbert_-_Dune", "Frank Herbert", "Dune"],
  ])("reads %j as Author - Title", (name, author, title) => {
    expect(read(name)).toEqual({ title, authors: [author] });
  });

  it.each([
    ["Dune - Frank Herbert", "Dune", "Frank Herbert"],
    ["The Hobbit - J.R.R. Tolkien", "The Hobbit", "J.R.R. Tolkien"],
    ["Dune Messiah - F. Herbert", "Dune Messiah", "F. Herbert"],
    ["Catch-22 - Joseph Heller", "Catch-22", "Joseph Heller"],
    ["Fahrenheit 451 - Ray Bradbury", "Fahrenheit 451", "Ray Bradbury"],
    ["Slaughterhouse 5 - Kurt Vonnegut", "Slaughterhouse 5", "Kurt Vonnegut"],
    ["The Stand - King, Stephen", "The Stand", "Stephen King"],
    ["Hobbit, The - J.R.R. Tolkien", "Hobbit, The", "J.R.R. Tolkien"],
  ])("reads %j as Title - Author", (name, title, author) => {
    expect(read(name)).toEqual({ title, authors: [author] });
  });

  it("reads several authors on either side", () => {
    const fields = { title: "Good Omens", authors: ["Terry Pratchett", "Neil Gaiman"] };
    expect(read("Terry Pratchett & Neil Gaiman - Good Omens")).toEqual(fields);
    expect(read("Good Omens - Terry Pratchett & Neil Gaiman")).toEqual(fields);
  });

  it("believes the tags where the name alone could be either", () => {
    expect(read("Jane Eyre - Charlotte Brontë")).toEqual({
      title: "Charlotte Brontë",
      authors: ["Jane Eyre"],
    });
    const fields = { title: "Jane Eyre", authors: ["Charlotte Brontë"] };
    expect(read("Jane Eyre - Charlotte Brontë", { authors: ["Charlotte Bronte"] })).toEqual(fields);
    expect(read("Jane Eyre - Charlotte Brontë", { title: "jane eyre" })).toEqual(fields);
    expect(read("Charlotte Brontë - Jane Eyre", { title: "Jane Eyre" })).toEqual(fields);
    expect(read("1984 - George Orwell", { authors: ["George Orwell"] })).toEqual({
      title: "1984",
      authors: ["George Orwell"],
    });
    expect(read("Fiction/Frank Herbert - Dune", { authors: ["Frank Herbert"] })).toEqual({
      title: "Dune",
      authors: ["Frank Herbert"],
    });
  });

  it("takes the author's name off a title that repeats it", () => {
    const fields = { title: "Dune", authors: ["Frank Herbert"] };
    expect(read("Frank Herbert/Frank Herbert - Dune")).toEqual(fields);
    expect(read("Frank Herbert/Dune - Frank Herbert")).toEqual(fields);
    expect(read("George Orwell/1984 - George Orwell").title).toBe("1984");
  });
});

describe("the title part", () => {
  it.each<[string, BookFields]>([
    ["Dune [B00B7NPRY8]", { title: "Dune", asin: "B00B7NPRY8" }],
    ["Dune [0441172717]", { title: "Dune", asin: "0441172717" }],
    ["Dune {B00B7NPRY8} {Scott Brick}", { title: "Dune", asin: "B00B7NPRY8", narrators: ["Scott Brick"] }],
    ["Dune {Scott Brick}", { title: "Dune", narrators: ["Scott Brick"] }],
    ["Dune {Scott Brick; Orlagh Cassidy}", { title: "Dune", narrators: ["Scott Brick", "Orlagh Cassidy"] }],
    ["Dune read by Scott Brick", { title: "Dune", narrators: ["Scott Brick"] }],
    ["Dune (read by Scott Brick)", { title: "Dune", narrators: ["Scott Brick"] }],
    ["Dune - Read by Scott Brick", { title: "Dune", narrators: ["Scott Brick"] }],
    [
      "Dune, narrated by Scott Brick and Simon Vance",
      { title: "Dune", narrators: ["Scott Brick", "Simon Vance"] },
    ],
    ["(1965) - Dune", { title: "Dune", year: 1965 }],
    ["1965 - Dune", { title: "Dune", year: 1965 }],
    ["Dune (1965)", { title: "Dune", year: 1965 }],
    ["Dune - 1965", { title: "Dune", year: 1965 }],
    ["Dune - A Desert Story", { title: "Dune", subtitle: "A Desert Story" }],
    ["Dune - A - B", { title: "Dune", subtitle: "A - B" }],
    ["Dune (Unabridged)", { title: "Dune", abridged: false }],
    ["Dune [Abridged]", { title: "Dune", abridged: true }],
    ["Dune Unabridged", { title: "Dune", abridged: false }],
    ["Dune [64kbps MP3]", { title: "Dune" }],
    ["Dune (2001) [128 kbps] {64k}", { title: "Dune", year: 2001 }],
    ["Dune (Disc 1 of 2)", { title: "Dune" }],
    ["Vol. 1 - Dune", { title: "Dune" }],
    ["Dune (Dune Saga 05)", { title: "Dune", series: series("Dune Saga", "5") }],
    ["Dune (Dune Saga #1.5)", { title: "Dune", series: series("Dune Saga", "1.5") }],
    ["Dune (Dune Saga, Book 2)", { title: "Dune", series: series("Dune Saga", "2") }],
    ["Dune (annotated)", { title: "Dune (annotated)" }],
    ["Dune (Part 2)", { title: "Dune (Part 2)" }],
    [
      "(1965) - Vol. 2 - Dune - Messiah (Dune Saga 03) [B00B7NPRY8] {Ann Lee; Bob Ray}",
      {
        title: "Dune",
        subtitle: "Messiah",
        year: 1965,
        series: series("Dune Saga", "3"),
        asin: "B00B7NPRY8",
        narrators: ["Ann Lee", "Bob Ray"],
      },
    ],
  ])("reads %j", (name, fields) => {
    expect(read(`Frank Herbert/${name}`)).toEqual({ authors: ["Frank Herbert"], ...fields });
  });

  it.each([
    ["Vol. 1 - Dune", "1"],
    ["Volume 12 - Dune", "12"],
    ["Book 2 - Dune", "2"],
    ["Book 02. Dune", "2"],
    ["1. Dune", "1"],
    ["0.5 - Dune", "0.5"],
    ["00.5 - Dune", "0.5"],
    ["01 - Dune", "1"],
    ["#3 - Dune", "3"],
    ["1-3 - Dune", "1-3"],
    ["01a - Dune", "1a"],
    ["01 Dune", "1"],
    ["Saga 02 - Dune", "2"],
    ["Saga - 02 - Dune", "2"],
    ["[Saga 02] - Dune", "2"],
    ["[02] Dune", "2"],
    ["Dune - Vol 2", "2"],
    ["Dune - Book 0.5", "0.5"],
    ["Dune (Saga 02)", "2"],
    ["Dune (Book 2)", "2"],
    ["Frank Herbert - Saga 02 - Dune", "2"],
    ["1965 - 02 - Dune", "2"],
    ["02 - 1965 - Dune", "2"],
  ])("finds the position in %j", (name, position) => {
    expect(read(`Frank Herbert/Saga/${name}`)).toMatchObject({
      title: "Dune",
      series: series("Saga", position),
    });
  });

  it.each([
    "101 Dalmatians",
    "1984",
    "Catch-22",
    "11.22.63",
    "Apollo 13",
    "Fahrenheit 451",
    "2BR02B",
    "The 39 Steps",
  ])("leaves %j a title", (title) => {
    expect(read(`Some Body/${title}`)).toEqual({ title, authors: ["Some Body"] });
    expect(read(`Some Body/Saga/${title}`)).toEqual({
      title,
      authors: ["Some Body"],
      series: series("Saga", null),
    });
    expect(read(title)).toEqual({ title });
  });

  it("takes the series' name off a title that repeats it", () => {
    expect(read("A. Author/Saga/Saga - Dune")).toMatchObject({ title: "Dune", series: series("Saga", null) });
    expect(read("A. Author/Saga/Saga 2 - Dune")).toMatchObject({
      title: "Dune",
      series: series("Saga", "2"),
    });
    expect(read("A. Author/Saga/Saga 02")).toMatchObject({ title: "Saga 02", series: series("Saga", "2") });
    expect(read("A. Author/Saga/Book 2")).toMatchObject({ title: "Book 2", series: series("Saga", "2") });
  });

  it("does not take a word in capitals for an ASIN", () => {
    expect(read("A. Author/Dune [UNABRIDGED]")).toEqual({
      title: "Dune",
      authors: ["A. Author"],
      abridged: false,
    });
    expect(read("A. Author/Dune [128kbpsMP3]").asin).toBeUndefined();
    expect(read("A. Author/Dune [COLLECTION]").title).toBe("Dune [COLLECTION]");
  });
});

describe("names of releases", () => {
  it.each([
    "Brandon Sanderson - Mistborn 02 - The Well of Ascension (2007) [64kbps MP3]",
    "Brandon Sanderson - Mistborn #2 - The Well of Ascension (2007) (Unabridged)",
    "Brandon Sanderson - Mistborn, Book 2 - The Well of Ascension (2007)",
    "Brandon Sanderson - [Mistborn 02] - The Well of Ascension - 2007 - Unabridged",
    "Brandon Sanderson - 2007 - Mistborn 02 - The Well of Ascension {128k}",
    "Brandon Sanderson - Mistborn - 02 - The Well of Ascension (2007) [m4b]",
  ])("reads %j", (name) => {
    expect(read(name)).toMatchObject({
      title: "The Well of Ascension",
      authors: ["Brandon Sanderson"],
      series: series("Mistborn", "2"),
      year: 2007,
    });
  });

  it("does not make a series or an author out of the other", () => {
    expect(read("Mistborn 02 - The Well of Ascension")).toEqual({
      title: "The Well of Ascension",
      series: series("Mistborn", "2"),
    });
    expect(read("2001 - A Space Odyssey")).toEqual({ title: "A Space Odyssey", year: 2001 });
    expect(read("Vol. 1 - The Title - A Subtitle")).toEqual({ title: "The Title", subtitle: "A Subtitle" });
  });
});

describe("a bare name", () => {
  it.each([
    "Dune",
    "random_stuff",
    "1984",
    "01",
    "track01",
    "Unknown Album",
    "New Folder (2)",
    "a1b2c3d4e5f60718",
  ])("%j is one", (name) => {
    expect(namesOf(name).titleIsBareName).toBe(true);
  });

  it.each(["Author Name/track 01", "Author Name/Chapter 3", "Author Name/01", "Author Name/bk_adbl_001234"])(
    "%j is one in spite of its folder",
    (path) => {
      expect(namesOf(path).titleIsBareName).toBe(true);
    },
  );

  it.each(["Frank Herbert/Dune", "Frank Herbert - Dune", "George Orwell/1984", "Dune (1965)", "A/B/C"])(
    "%j is none",
    (path) => {
      expect(namesOf(path).titleIsBareName).toBe(false);
    },
  );
});

describe("any name", () => {
  const word = fc.constantFrom(
    "Silver",
    "Winter",
    "Harbor",
    "Lantern",
    "Quiet",
    "Ember",
    "Meadow",
    "Stone",
    "Éclat",
  );
  const title = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => `The ${words.join(" ")}`);
  const author = fc.constantFrom(
    "Ann Leckie",
    "Jo Nesbø",
    "J.R.R. Tolkien",
    "Ursula K. Le Guin",
    "Zadie Smith",
  );
  const narrator = fc.constantFrom("Scott Brick", "Simon Vance", "Kate Reading");
  const position = fc.constantFrom("1", "2", "10", "0.5", "1-3", "1a");
  const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

  it("that was composed by the conventions parses back", () => {
    const parts = fc.record({
      author,
      title,
      layout: fc.constantFrom("folder", "series", "name"),
      position: maybe(position),
      positionForm: fc.constantFrom("Vol. # - ", "Book # - ", "# - "),
      year: maybe(fc.integer({ min: 1850, max: 2029 })),
      yearForm: fc.constantFrom("(Y) - T", "Y - T", "T (Y)"),
      subtitle: maybe(title),
      narrator: maybe(narrator),
      narratorForm: fc.constantFrom(" {N}", " (read by N)", " read by N"),
      asin: maybe(fc.stringMatching(/^B0[A-Z0-9]{8}$/)),
    });
    fc.assert(
      fc.property(parts, (one) => {
        const inSeries = one.layout === "series" && one.position !== undefined;
        const subtitle = one.layout === "name" ? undefined : one.subtitle;
        let name = one.title;
        if (subtitle !== undefined) name += ` - ${subtitle}`;
        if (inSeries) name = one.positionForm.replace("#", String(one.position)) + name;
        if (one.year !== undefined) name = one.yearForm.replace("T", name).replace("Y", String(one.year));
        if (one.asin !== undefined) name += ` [${one.asin}]`;
        if (one.narrator !== undefined) name += one.narratorForm.replace("N", one.narrator);
        const path = {
          folder: `${one.author}/`,
          series: `${one.author}/Lost Saga/`,
          name: `${one.author} - `,
        };
        expect(read(path[one.layout] + name)).toEqual({
          title: one.title,
          authors: [one.author],
          ...(one.layout === "series" ? { series: series("Lost Saga", one.position ?? null) } : {}),
          ...(subtitle === undefined ? {} : { subtitle }),
          ...(one.year === undefined ? {} : { year: one.year }),
          ...(one.asin === undefined ? {} : { asin: one.asin }),
          ...(one.narrator === undefined ? {} : { narrators: [one.narrator] }),
        });
      }),
      { numRuns: 1000 },
    );
  });

  it("has a title, whatever it is", () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
      .filter((text) => text.trim() !== "");
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (segments) => {
        const { fields } = readPathNames({ folders: segments.slice(1), name: segments[0] ?? "" }, nobody);
        expect(fields.title?.trim()).toBeTruthy();
      }),
      { numRuns: 1000 },
    );
  });
});
