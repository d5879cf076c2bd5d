import type { BookFields } from "../domain/book.ts";

/** The fields without those that say nothing: below a match an empty value is as good as an absent one. */
export function withoutNothing(fields: BookFields): BookFields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => {
      return !(value === null || value === "" || (Array.isArray(value) && value.length === 0));
    }),
  );
}
