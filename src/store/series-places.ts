import { setImmediate as turn } from "node:timers/promises";
import type { SeriesPlace } from "../domain/catalogue.ts";
import type { Catalogue } from "./ports.ts";

/** A page takes a few milliseconds. */
const page = 2_000;

/** The places in series of all books, page by page between two turns of the event loop. */
export async function* seriesPlaces(
  catalogue: Pick<Catalogue, "seriesPlaces">,
): AsyncGenerator<readonly SeriesPlace[]> {
  for (let after: number | null = 0; after !== null; ) {
    const { places, next }: ReturnType<Catalogue["seriesPlaces"]> = catalogue.seriesPlaces(after, page);
    yield places;
    after = next;
    await turn();
  }
}
