import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hasInitials, looksLikePerson, personKey, splitPeople } from "../../src/domain/people.ts";

describe("splitPeople", () => {
  it.each([
    ["Sir Arthur Conan Doyle", ["Sir Arthur Conan Doyle"]],
    ["Homer", ["Homer"]],
    ["Smith, John; Doe, Jane", ["John Smith", "Jane Doe"]],
    ["Terry Pratchett & Neil Gaiman", ["Terry Pratchett", "Neil Gaiman"]],
    ["Terry Pratchett &amp; Neil Gaiman", ["Terry Pratchett", "Neil Gaiman"]],
    ["Margaret Weis and Tracy Hickman", ["Margaret Weis", "Tracy Hickman"]],
    ["Stephen King, Peter Straub", ["Stephen King", "Peter Straub"]],
    ["A, B, C", ["A", "B", "C"]],
    ["Ann Lee, Bob Ray, and Carl Dee", ["Ann Lee", "Bob Ray", "Carl Dee"]],
    ["Ann, Bob, and Carl", ["Ann", "Bob", "Carl"]],
    ["Bill Homewood, Full Cast", ["Bill Homewood", "Full Cast"]],
    ["read by Stephen Fry", ["Stephen Fry"]],
  ])("finds the people of %j", (text, people) => {
    expect(splitPeople(text)).toEqual(people);
  });

  it.each([
    ["King, Stephen", ["Stephen King"]],
    ["King, Stephen & Straub, Peter", ["Stephen King", "Peter Straub"]],
    ["Le Guin, Ursula K.", ["Ursula K. Le Guin"]],
    ["van Gogh, Vincent", ["Vincent van Gogh"]],
    ["García Márquez, Gabriel", ["Gabriel García Márquez"]],
    ["Tolkien, J. R. R.", ["J. R. R. Tolkien"]],
    ["Ma, Yo-Yo", ["Yo-Yo Ma"]],
    ["Anderson, Kevin J., Herbert, Brian", ["Kevin J. Anderson", "Brian Herbert"]],
    ["Weis, Margaret and Hickman, Tracy", ["Margaret Weis", "Tracy Hickman"]],
  ])("turns %j round", (text, people) => {
    expect(splitPeople(text)).toEqual(people);
  });

  it.each([
    ["Martin Luther King, Jr.", ["Martin Luther King, Jr."]],
    ["King, Martin Luther, Jr.", ["Martin Luther King, Jr."]],
    ["Doe, John, PhD", ["John Doe, PhD"]],
    ["Doe, Jane Ph.D.", ["Jane Doe Ph.D."]],
    ["Jane Doe, M.D. and John Roe, Ph.D.", ["Jane Doe, M.D.", "John Roe, Ph.D."]],
    ["Robert Downey Jr., Susan", ["Robert Downey Jr.", "Susan"]],
    ["Ann Lee, M.D., Bob Ray", ["Ann Lee, M.D.", "Bob Ray"]],
  ])("leaves the suffix with its name in %j", (text, people) => {
    expect(splitPeople(text)).toEqual(people);
  });

  it.each(["Alexandre Dumas", "Sándor Márai", "Andy Weir", "Anders Andersen", "Brandon Sanderson"])(
    "does not cut %j at an 'and' inside a word",
    (name) => {
      expect(splitPeople(name)).toEqual([name]);
    },
  );

  it("takes what it cannot tell apart the way that is named in its comments", () => {
    expect(splitPeople("Simon and Schuster")).toEqual(["Simon", "Schuster"]);
    expect(splitPeople("King, Stephen, Straub, Peter")).toEqual(["King", "Stephen", "Straub", "Peter"]);
    expect(splitPeople("Plato, Aristotle")).toEqual(["Aristotle Plato"]);
  });

  it("keeps a cast of thirty, single names among them", () => {
    const cast = Array.from({ length: 30 }, (_, index) =>
      index % 7 === 0 ? `Solo${index}` : `Ann Number${index}`,
    );
    expect(splitPeople(cast.join(", "))).toEqual(cast);
    expect(splitPeople(cast.join("; "))).toEqual(cast);
    expect(splitPeople(cast)).toEqual(cast);
  });

  it("names each person once, as first spelled", () => {
    expect(splitPeople(["J.R.R. Tolkien; J. R. R. Tolkien", "JRR TOLKIEN", "Tolkien, J.R.R."])).toEqual([
      "J.R.R. Tolkien",
    ]);
  });

  it("finds nobody in nothing", () => {
    expect(splitPeople([])).toEqual([]);
    expect(splitPeople(["", "  ", " , ; & "])).toEqual([]);
  });

  it("gives back full names however they are joined", () => {
    const word = fc
      .stringMatching(/^[A-Z][a-z]{2,8}$/)
      .filter(
        (text) =>
          !/^(?:And|Iii|Phd|Esq|Dds|Dvm|Mba|Msc|Bsc|Obe|Mbe|Cbe|Kbe|Frs|Edd|Cast|More|Others|Various|Ensemble)$/.test(
            text,
          ),
      );
    // Behind a comma an article belongs to a title ("Hobbit, The"), and a particle begins a surname.
    const particles =
      /^(?:De|Da|Di|Del|Della|Der|Den|Dos|Das|Du|La|Le|Les|Van|Von|Zu|Zum|Zur|Af|Av|Al|El|Ibn|Bin|Ben|Ter|Ten|St|San|Santa|Mac|The|Die|Das|Los|Las)$/;
    const name = fc
      .tuple(word, word)
      .filter(([first]) => !particles.test(first))
      .map((words) => words.join(" "));
    const names = fc.uniqueArray(name, { minLength: 1, maxLength: 8, selector: personKey });
    fc.assert(
      fc.property(names, fc.constantFrom("; ", " & ", " and ", ", "), (people, separator) => {
        expect(splitPeople(people.join(separator))).toEqual(people);
        const inverted = people.map((person) => person.split(" ").reverse().join(", "));
        expect(splitPeople(inverted.join("; "))).toEqual(people);
      }),
    );
  });

  it("survives any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        for (const name of splitPeople(text)) expect(name.trim()).not.toBe("");
      }),
    );
  });
});

describe("personKey", () => {
  it("compares initials, accents, case and suffixes in any spelling", () => {
    expect(personKey("J.R.R. Tolkien")).toBe(personKey("J. R. R. Tolkien"));
    expect(personKey("JRR Tolkien")).toBe(personKey("J.R.R. Tolkien"));
    expect(personKey("J.R.R.Tolkien")).toBe(personKey("J. R. R. Tolkien"));
    expect(personKey("Charlotte Brontë")).toBe(personKey("CHARLOTTE BRONTE"));
    expect(personKey("Martin Luther King, Jr.")).toBe(personKey("Martin Luther King Jr"));
    expect(personKey("Jane Doe, PhD")).toBe(personKey("Jane Doe Ph.D."));
    expect(personKey("Flann O’Brien")).toBe(personKey("Flann O'Brien"));
  });

  it("keeps different people apart", () => {
    expect(personKey("John Smith")).not.toBe(personKey("Joan Smith"));
    expect(personKey("村上春樹")).not.toBe(personKey("村上龍"));
    expect(personKey("???")).not.toBe(personKey("!!!"));
  });
});

describe("the shape of a name", () => {
  it.each(["Frank Herbert", "J.R.R. Tolkien", "Ursula K. Le Guin", "Vincent van Gogh", "King, Stephen"])(
    "%j may be a person",
    (name) => {
      expect(looksLikePerson(name)).toBe(true);
    },
  );

  it.each([
    "Dune",
    "The Hobbit",
    "Lord of the Rings",
    "Catch 22",
    "a clash of kings",
    "Hobbit, The",
    "Fahrenheit 451",
  ])("%j is no person", (name) => {
    expect(looksLikePerson(name)).toBe(false);
  });

  it("sees initials", () => {
    expect(hasInitials("J.R.R. Tolkien")).toBe(true);
    expect(hasInitials("Iain M. Banks")).toBe(true);
    expect(hasInitials("Mistborn")).toBe(false);
  });
});
