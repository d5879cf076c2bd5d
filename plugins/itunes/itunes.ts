import { z } from "zod";
import type { Source, SourceBook, SourceCall, SourcePlugin } from "../../src/plugin.ts";

/*
 * Large covers. The iTunes Search API:
 * https://developer.apple.com/library/archive/documentation/AudioVideo/Conceptual/iTuneSearchAPI/
 */

const usual = "https://itunes.apple.com";

const answerShape = z.object({
  results: z.array(
    z.object({
      wrapperType: z.string(),
      collectionId: z.number().optional(),
      collectionName: z.string().optional(),
      artistName: z.string().optional(),
      artworkUrl100: z.string().optional(),
      releaseDate: z.string().optional(),
    }),
  ),
});

export const itunes: SourcePlugin = {
  kind: "source",
  name: "itunes",
  create: ({ baseUrl, region }): Source => {
    const api = baseUrl ?? usual;
    const country = region ?? "us";

    async function ask(
      path: string,
      params: Readonly<Record<string, string>>,
      call: SourceCall,
    ): Promise<readonly SourceBook[]> {
      const asked = new URLSearchParams({ ...params, country });
      const answer = await call.getJson(new URL(`${api}/${path}?${asked}`));
      return answer === null ? [] : booksOf(answerShape.parse(answer));
    }

    return {
      name: "itunes",
      goodFor: ["cover"],
      looksUp: ["own"],
      // About 20 a minute, says its documentation.
      requestsPerSecond: 1 / 3,
      search: ({ title, author }, call) =>
        ask(
          "search",
          { term: author === null ? title : `${title} ${author}`, media: "audiobook", limit: "10" },
          call,
        ),
      get: async (_kind, id, call) => (await ask("lookup", { id }, call))[0] ?? null,
    };
  },
};

function booksOf({ results }: z.output<typeof answerShape>): readonly SourceBook[] {
  return results.flatMap((found) => {
    const { collectionId, collectionName: title, artistName, artworkUrl100: artwork } = found;
    if (found.wrapperType !== "audiobook" || collectionId === undefined || title === undefined) return [];
    return {
      id: String(collectionId),
      fields: { title, ...(artistName === undefined ? {} : { authors: [artistName] }) },
      durationSeconds: null,
      // The same picture at any size up to that of the original.
      coverUrl: artwork?.replace(/\/100x100bb(?=\.\w+$)/, "/1200x1200bb") ?? null,
    };
  });
}
