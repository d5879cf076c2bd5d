import { foldText } from "../domain/text.ts";

const letters = [..."abcdefghijklmnopqrstuvwxyz"];

/** English names to codes of two letters, as far as the runtime knows them. */
const codesByName = new Map<string, string>();

/** The code of a language, two letters where it has them: `en` for "English", "eng" and "en-GB". Null for what is none. */
export function languageCode(text: string | null): string | null {
  if (text === null || text === "") return null;
  const named = namedCodes().get(foldText(text));
  if (named !== undefined) return named;
  try {
    return new Intl.Locale(text.replaceAll("_", "-")).language ?? null;
  } catch {
    return null;
  }
}

function namedCodes(): ReadonlyMap<string, string> {
  if (codesByName.size > 0) return codesByName;
  const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
  for (const code of letters.flatMap((a) => letters.map((b) => a + b))) {
    const name = names.of(code);
    if (name !== undefined && !codesByName.has(foldText(name))) codesByName.set(foldText(name), code);
  }
  return codesByName;
}
