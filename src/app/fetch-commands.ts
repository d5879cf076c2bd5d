import type { CommandHandlers } from "../bus/commands.ts";
import { wireBook, wireBreaker } from "../bus/wire.ts";
import type { Book } from "../domain/book.ts";
import type { Operation } from "../domain/operation.ts";
import { AppError } from "../errors.ts";
import type { Fetching } from "./fetching.ts";
import type { Sources } from "./sources.ts";
import { type StartParts, startOnce } from "./start-once.ts";

export interface FetchParts extends StartParts {
  readonly fetching: Pick<Fetching, "request" | "choose" | "reject">;
  readonly sources: Pick<Sources, "act">;
  readonly historyOf: (bookId: string) => readonly Operation[];
  readonly onBookSet: (book: Book) => void;
}

type FetchHandlers = Pick<CommandHandlers, "fetch" | "match" | "breaker">;

/** What the commands about metadata do. */
export function createFetchHandlers(parts: FetchParts): FetchHandlers {
  const { fetching, sources } = parts;
  return {
    fetch: {
      run: ({ books, query, sources: names }, { transaction, priority }) =>
        startOnce(parts, "fetch", transaction, async () =>
          fetching.request({ books, query, sources: names }, { transaction, priority }),
        ),
    },
    match: {
      run: async ({ book: bookId, source, id, reject }) => {
        if ((source === undefined) !== (id === undefined) || (source === undefined && !reject)) {
          throw new AppError("invalid_payload", "A match needs `source` and `id`, or `reject`", {
            details: { keys: ["source", "id", "reject"] },
          });
        }
        const named = source === undefined || id === undefined ? null : { source, id };
        const book =
          named === null || reject ? fetching.reject(bookId, named) : await fetching.choose(bookId, named);
        parts.onBookSet(book);
        return { data: wireBook(book, parts.historyOf(bookId)) };
      },
    },
    breaker: {
      run: async ({ source, action }) => ({ data: wireBreaker(await sources.act(source, action)) }),
    },
  };
}
