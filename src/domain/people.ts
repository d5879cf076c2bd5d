import { foldText } from "./text.ts";

/**
 * The people that a tag, a folder name or a sidecar names, in their order, each once. Separators are `;`, `&`,
 * ` and `, and comma last; "Last, First" is turned round; "Jr.", "PhD", "M.D." stay with their name. A company
 * with an "and" in its name comes apart: nothing in the text tells it from two people.
 */
export function splitPeople(texts: string | readonly string[]): readonly string[] {
  const people = new Map<string, string>();
  for (const text of typeof texts === "string" ? [texts] : texts) {
    for (const name of namesOf(text)) {
      const key = personKey(name);
      if (key !== "" && !people.has(key)) people.set(key, name);
    }
  }
  return [...people.values()];
}

/** What makes two spellings one person: "J.R.R. Tolkien", "J. R. R. Tolkien" and "JRR TOLKIEN" are the same. */
export function personKey(name: string): string {
  if (plainName.test(name)) return name.toLowerCase();
  const folded = foldText(name);
  const words = folded
    .replace(/['`]/g, "")
    .split(/[\s,]+/)
    .flatMap((word) => (isSuffix(word) ? word.replaceAll(".", "") : word.split(/[^\p{L}\p{M}\p{N}]+/u)))
    .filter((word) => word !== "");
  return words.length === 0 ? folded : joinInitials(words);
}

/** Most names: words of two letters and more, which no rule below changes; measured, a third of the time of a draft. */
const plainName = /^[A-Za-z0-9]{2,}(?: [A-Za-z0-9]{2,})*$/;

/** A name that may be a person's, by its shape: two to five capitalized words without figures or articles. */
export function looksLikePerson(name: string): boolean {
  if (isInverted(name)) return true;
  const words = name.trim().split(/\s+/);
  if (words.length < 2 || words.length > 5) return false;
  return words.every(
    (word) =>
      surnameParticles.has(word.toLowerCase()) ||
      (/^\p{Lu}[\p{L}\p{M}'’.,-]*$/u.test(word) && !titleWords.has(word.toLowerCase())),
  );
}

/** True where a word of the name is initials: `J.`, `J.R.R.`. */
export function hasInitials(name: string): boolean {
  return name.split(/\s+/).some((word) => /^(?:\p{Lu}\.)+(?:\p{Lu}\.?)?$/u.test(word));
}

const ampersandOrAnd = / ?& ?|,? and /i;
const leadIn = /^\s*(?:(?:read|narrated|written|performed)\s+)?by[\s:]+/i;

const suffixes = new Set(
  "jr sr phd md esq ii iii iv dds dvm mba msc bsc obe mbe cbe kbe frs edd psyd dphil".split(" "),
);
const surnameParticles = new Set(
  "de da di del della der den dos das du la le les van von zu zum zur af av al el ibn bin ben ter ten st st. san santa mac".split(
    " ",
  ),
);
/** Words that stand in titles and hardly in a person's name. */
const titleWords = new Set(
  "the a an of in on at to for from with and or is my your his her our how what why when i".split(" "),
);

function namesOf(text: string): readonly string[] {
  return text
    .replace(/\s+/g, " ")
    .replace(/&amp;/gi, "&")
    .split(";")
    .flatMap((part) => {
      const groups = part.split(ampersandOrAnd).map((group) => group.replace(leadIn, "").trim());
      // "Ann, Bob and Carl" is a list of single names: nobody is called "Bob Ann".
      const hasSingleName = groups.length > 1 && groups.some((group) => /^[^\s,]+$/.test(group));
      return groups.flatMap((group) => (hasSingleName ? splitList(group) : splitAtCommas(group)));
    });
}

function splitList(group: string): readonly string[] {
  return joinSuffixes(group.split(",").map((part) => part.replace(/\s+/g, " ").trim()));
}

function splitAtCommas(group: string): readonly string[] {
  const parts = splitList(group);
  const [first, second] = parts;
  if (first === undefined || second === undefined) return parts;
  if (parts.length === 2) return isSurname(first, second) ? [turn(first, second)] : parts;
  return isListOfInverted(parts) ? turnPairs(parts) : parts;
}

/** "Martin Luther King", "Jr." is one name; "Doe", "John", "PhD" are two parts of one. */
function joinSuffixes(parts: readonly string[]): readonly string[] {
  const joined: string[] = [];
  for (const part of parts) {
    if (part === "") continue;
    const last = joined.pop();
    if (last === undefined) joined.push(part);
    else if (isSuffix(part)) joined.push(`${last}, ${part}`);
    else joined.push(last, part);
  }
  return joined;
}

function isInverted(name: string): boolean {
  const parts = splitList(name);
  const [last, first] = parts;
  return parts.length === 2 && last !== undefined && first !== undefined && isSurname(last, first);
}

/**
 * "King, Stephen" and "Le Guin, Ursula K." are one person, "Stephen King, Peter Straub" are two: a surname is
 * one word, or begins with a particle, or stands before a single given name ("García Márquez, Gabriel").
 * Two people of one name each ("Plato, Aristotle") are taken for one: the far rarer case.
 */
function isSurname(last: string, first: string): boolean {
  const words = wordsOf(last);
  const given = wordsOf(first);
  if (given.length === 0 || groupWords.has(given.join(" ").toLowerCase())) return false;
  if (words.length === 1 || isParticled(words)) return true;
  const isTwoWords = words.length === 2 && last.split(" ").length === 2;
  return isTwoWords && given.length === 1 && !words.some(isInitials);
}

/** Behind a comma these are no given names: they stand for a cast, or belong to a title ("Hobbit, The"). */
const groupWords = new Set([
  ...["cast", "full cast", "a full cast", "others", "more", "various", "ensemble"],
  ...["the", "a", "an", "der", "die", "das", "le", "la", "les", "el", "los", "las", "il", "lo"],
]);

/**
 * "Anderson, Kevin J., Herbert, Brian": surnames at every other place, and a given name that ends in an
 * initial, as no full name does. Without one ("King, Stephen, Straub, Peter") it could as well be a list of
 * single names, and is taken for that.
 */
function isListOfInverted(parts: readonly string[]): boolean {
  if (parts.length % 2 !== 0) return false;
  const surnames = parts.filter((_, index) => index % 2 === 0).map(wordsOf);
  const given = parts.filter((_, index) => index % 2 === 1).map(wordsOf);
  return (
    surnames.every((words) => words.length === 1 || isParticled(words)) &&
    given.some((words) => isInitials(words.at(-1) ?? ""))
  );
}

function turnPairs(parts: readonly string[]): readonly string[] {
  const people: string[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) people.push(turn(parts[i] ?? "", parts[i + 1] ?? ""));
  return people;
}

/** A suffix goes to the end: "Doe" and "John, PhD" are "John Doe, PhD"; "King Jr." keeps its own. */
function turn(last: string, first: string): string {
  const words = first.split(" ");
  const end = words.findIndex((word, index) => index > 0 && isSuffix(word.replace(/,$/, "")));
  if (end === -1) return `${first} ${last}`;
  const given = words.slice(0, end).join(" ");
  const name = `${given.replace(/,$/, "")} ${last}`;
  return `${name}${given.endsWith(",") ? "," : ""} ${words.slice(end).join(" ")}`;
}

function wordsOf(name: string): readonly string[] {
  const words = name.split(/[\s,]+/).filter((word) => word !== "");
  return words.filter((word, index) => index === 0 || !isSuffix(word));
}

function isParticled(words: readonly string[]): boolean {
  const [first] = words;
  return first !== undefined && words.length <= 4 && surnameParticles.has(first.toLowerCase());
}

function isSuffix(text: string): boolean {
  return suffixes.has(text.toLowerCase().replace(/[.\s]/g, ""));
}

function isInitials(word: string): boolean {
  return /^(?:\p{Lu}\.)+(?:\p{Lu}\.?)?$|^\p{Lu}$/u.test(word);
}

function joinInitials(words: readonly string[]): string {
  let key = "";
  let afterInitial = false;
  for (const word of words) {
    const isInitial = [...word].length === 1;
    key += key === "" || (isInitial && afterInitial) ? word : ` ${word}`;
    afterInitial = isInitial;
  }
  return key;
}

/** "Le Guin" of "Ursula K. Le Guin", "King" of "Stephen King Jr.". A name of one word is that word. */
export function lastNameOf(name: string): string {
  return partsOf(name).last;
}

/** "King, Stephen"; "Doe, John, PhD" keeps its suffix behind. A name of one word stays as it is. */
export function lastNameFirst(name: string): string {
  const { first, last, suffix } = partsOf(name);
  if (first === "") return name;
  return suffix === "" ? `${last}, ${first}` : `${last}, ${first}, ${suffix}`;
}

function partsOf(name: string): { readonly first: string; readonly last: string; readonly suffix: string } {
  const words = name.split(/[\s,]+/).filter((word) => word !== "");
  const end = words.findIndex((word, index) => index > 0 && isSuffix(word));
  const [plain, suffixes] = end === -1 ? [words, []] : [words.slice(0, end), words.slice(end)];
  const particle = plain.findIndex((word, index) => index > 0 && surnameParticles.has(word.toLowerCase()));
  const lastAt = particle === -1 ? Math.max(0, plain.length - 1) : particle;
  return {
    first: plain.slice(0, lastAt).join(" "),
    last: plain.slice(lastAt).join(" "),
    suffix: suffixes.join(" "),
  };
}
