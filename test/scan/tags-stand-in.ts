import type { TrackReading } from "../../src/domain/scan.ts";

/** A reading that says nothing but the file's name. */
export function readNothing(name: string): TrackReading {
  return {
    tags: {
      title: name,
      album: null,
      artists: [],
      albumArtists: [],
      composers: [],
      narrators: [],
      performers: [],
      disc: null,
      track: null,
      subtitle: null,
      year: null,
      publisher: null,
      language: null,
      description: null,
      comment: null,
      genres: [],
      asin: null,
      isbn: null,
      explicit: null,
      abridged: null,
      series: [],
      seriesParts: [],
      grouping: null,
    },
    durationSeconds: 1,
    bitrateKbps: null,
    chapters: [],
    hasPicture: false,
    headHash: "0000000000000000",
  };
}
