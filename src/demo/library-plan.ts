import type { TrackChapter } from "../domain/scan.ts";
import type { AudioContent, AudioTags } from "./audio/make-audio.ts";

/** A folder of the demonstration's library: what lies in it, and what it is there to show. */
export interface PlannedFolder {
  readonly root: "audiobooks" | "inbox";
  /** From the root; `''` is the root itself. */
  readonly path: string;
  readonly shows: string;
  readonly audio: readonly PlannedAudio[];
  /** Text files beside the audio, by name. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Whether a `cover.png` lies beside the audio. */
  readonly hasCover?: boolean;
  /** Names of audio files that are none. */
  readonly damaged?: readonly string[];
}

interface PlannedAudio extends AudioContent {
  /** From the folder. */
  readonly name: string;
  /** Whether a cover is put into the file. */
  readonly hasPicture?: boolean;
}

/** Books that belong to everybody, laid out in the ways in which people's libraries are. */
export const libraryPlan: readonly PlannedFolder[] = [
  {
    root: "audiobooks",
    path: "Arthur Conan Doyle/Sherlock Holmes/01 - A Study in Scarlet",
    shows: "Author/Series/01 - Title, ID3 tags",
    hasCover: true,
    audio: tracks(3, "mp3", 240, {
      album: "A Study in Scarlet",
      artist: "Arthur Conan Doyle",
      narrator: "Harriet Vale",
      series: "Sherlock Holmes",
      seriesPart: "01",
      year: 1887,
    }),
  },
  {
    root: "audiobooks",
    path: "Arthur Conan Doyle/Sherlock Holmes/02 - The Sign of the Four",
    shows: "no tags; reader.txt and desc.txt",
    audio: [
      { name: "1.mp3", tags: {}, durationSeconds: 300 },
      { name: "2.mp3", tags: {}, durationSeconds: 300 },
    ],
    texts: {
      "reader.txt": "Harriet Vale\n",
      "desc.txt": "A pact between four convicts, a corrupted guard, and a chest of jewels.\n",
    },
  },
  {
    root: "audiobooks",
    path: "Arthur Conan Doyle/Sherlock Holmes/03 - The Adventures of Sherlock Holmes",
    shows: "CD1 and CD2 are one book",
    audio: [1, 2].flatMap((disc) =>
      tracks(
        2,
        "flac",
        5400,
        {
          album: "The Adventures of Sherlock Holmes",
          albumArtist: "Arthur Conan Doyle",
          composer: "Harriet Vale",
          disc: `${disc}/2`,
          year: 1892,
        },
        `CD${disc}/`,
      ),
    ),
  },
  {
    root: "audiobooks",
    path: "L. Frank Baum/Oz/0.5 - Little Wizard Stories of Oz",
    shows: "position 0.5",
    audio: [{ name: "Little Wizard Stories.ogg", tags: {}, durationSeconds: 3400 }],
  },
  {
    root: "audiobooks",
    path: "L. Frank Baum/Oz/1-3 - The Oz Omnibus",
    shows: "position 1-3, chapters",
    audio: [
      {
        name: "The Oz Omnibus.m4b",
        tags: {
          album: "The Oz Omnibus",
          albumArtist: "L. Frank Baum",
          narrator: ["Noor Haddad", "Tom Ashdown"],
          series: "Oz",
          seriesPart: "01-03",
          year: 1907,
          publisher: "Yellow Brick Audio",
          asin: "B00DEMO003",
        },
        hasPicture: true,
        ...chapters(58_500, ["The Cyclone", "The Munchkins", "The Marvelous Land", "Ozma", "The Nome King"]),
      },
    ],
  },
  {
    root: "audiobooks",
    path: "L. Frank Baum/Oz/04 - Dorothy and the Wizard in Oz",
    shows: "Vorbis comments",
    audio: tracks(2, "oga", 7200, {
      album: "Dorothy and the Wizard in Oz",
      artist: "L. Frank Baum",
      performer: "Noor Haddad",
    }),
  },
  {
    root: "audiobooks",
    path: "Jane Austen - Pride and Prejudice",
    shows: "Author - Title, Opus",
    audio: tracks(3, "opus", 14_200, { album: "Pride and Prejudice", artist: "Jane Austen" }),
  },
  {
    root: "audiobooks",
    path: "Jane Austen/Emma",
    shows: "metadata.json of Audiobookshelf",
    audio: [{ name: "Emma.m4b", tags: { title: "Emma" }, ...chapters(57_000, ["Volume I", "Volume II"]) }],
    texts: {
      "metadata.json": `${JSON.stringify(
        {
          title: "Emma",
          authors: ["Jane Austen"],
          narrators: ["Elena Ruiz"],
          series: [],
          genres: ["Classics"],
          publishedYear: "1815",
          language: "English",
        },
        null,
        2,
      )}\n`,
    },
  },
  {
    root: "audiobooks",
    path: "H. G. Wells",
    shows: "several books in one folder",
    audio: [
      wells("The Time Machine", 1895, 12_700, ["The Inventor", "The Time Traveller Returns", "The Palace"]),
      wells("The War of the Worlds", 1898, 25_200, ["The Coming of the Martians", "The Earth Under Them"]),
      wells("The Invisible Man", 1897, 17_800, ["The Strange Man's Arrival", "The Epilogue"]),
    ],
  },
  {
    root: "audiobooks",
    path: "",
    shows: "a loose m4b with chapters",
    audio: [
      {
        name: "Frankenstein.m4b",
        tags: { album: "Frankenstein", artist: "Mary Shelley", narrator: "Tom Ashdown", year: "1818-01-01" },
        ...chapters(30_600, ["Letters", "Geneva", "The Creature", "The Ice"]),
      },
    ],
  },
  {
    root: "audiobooks",
    path: "Jules Verne/Voyages extraordinaires/Vol. 6 - Twenty Thousand Leagues {Bo Lindqvist}",
    shows: "Calibre's OPF, {Narrator}, WMA",
    audio: tracks(2, "wma", 27_000, { album: "20000 Leagues", artist: "Verne, Jules" }),
    texts: {
      "metadata.opf": opf(
        "Twenty Thousand Leagues Under the Seas",
        "Jules Verne",
        "Voyages extraordinaires",
        "6",
      ),
    },
  },
  {
    root: "audiobooks",
    path: "Mary Shelley/The Last Man [B00DEMO001]",
    shows: "[ASIN], an NFO file, MP4",
    audio: [{ name: "The Last Man.mp4", tags: { title: "The Last Man" }, durationSeconds: 79_000 }],
    texts: {
      "book.nfo": "Title: The Last Man\nAuthor: Mary Shelley\nRead by: Bo Lindqvist\nCopyright: 1826\n",
    },
  },
  {
    root: "audiobooks",
    path: "Émile Zola/Les Rougon-Macquart/13 - Germinal",
    shows: "accents, series in the grouping",
    audio: tracks(2, "m4a", 31_000, {
      album: "Germinal",
      albumArtist: "Émile Zola",
      narrator: "Éloïse Béranger",
      grouping: "Les Rougon-Macquart #13",
      year: 1885,
      language: "fr",
    }),
  },
  {
    root: "audiobooks",
    path: "夏目漱石/こころ",
    shows: "other scripts, AAC",
    audio: tracks(2, "aac", 90, { album: "こころ", artist: "夏目漱石", language: "ja" }),
  },
  {
    root: "audiobooks",
    path: "Лев Толстой/Анна Каренина",
    shows: "WAV and AIFF, named by folders",
    audio: [
      { name: "Часть 1.wav", tags: {}, durationSeconds: 30 },
      { name: "Часть 2.aif", tags: {}, durationSeconds: 30 },
    ],
  },
  {
    root: "audiobooks",
    path: "Bram Stoker/Dracula",
    shows: "a damaged file among good ones",
    audio: tracks(2, "mp3", 360, { album: "Dracula", artist: "Bram Stoker", narrator: "Tom Ashdown" }),
    damaged: ["03.mp3"],
  },
  {
    root: "audiobooks",
    path: "Mark Twain & Charles Dudley Warner/The Gilded Age",
    shows: "two authors, AIFF",
    audio: tracks(2, "aiff", 20, { album: "The Gilded Age", artist: "Mark Twain & Charles Dudley Warner" }),
  },
  {
    root: "audiobooks",
    path: "John Buchan/The 39 Steps (1915)",
    shows: "a number that is no position",
    audio: [{ name: "The 39 Steps.webm", tags: {}, durationSeconds: 13_900 }],
  },
  {
    root: "audiobooks",
    path: "tape 7 side B",
    shows: "no author: needs review",
    audio: [{ name: "side B.mka", tags: {}, durationSeconds: 2700 }],
  },
  {
    root: "inbox",
    path: "R. L. Stevenson - Treasure Island (1883) [64kbps MP3]",
    shows: "a download as it lands",
    audio: tracks(3, "mp3", 200, { narrator: "Noor Haddad" }),
  },
  {
    root: "inbox",
    path: "Jules Verne - Michael Strogoff read by Bo Lindqvist",
    shows: "read by …",
    audio: [
      {
        name: "strogoff.m4b",
        tags: {},
        ...chapters(26_000, ["A Fete at the New Palace", "The Tartars", "Irkutsk"]),
      },
    ],
  },
];

function tracks(
  count: number,
  extension: string,
  durationSeconds: number,
  tags: AudioTags,
  folder = "",
): readonly PlannedAudio[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `${folder}${String(i + 1).padStart(2, "0")}.${extension}`,
    tags: { title: `Part ${i + 1}`, track: `${i + 1}/${count}`, ...tags },
    durationSeconds,
  }));
}

function wells(
  title: string,
  year: number,
  durationSeconds: number,
  chapterTitles: readonly string[],
): PlannedAudio {
  return {
    name: `${title}.m4b`,
    tags: { title, album: title, artist: "H. G. Wells", narrator: "Harriet Vale", year },
    ...chapters(durationSeconds, chapterTitles),
  };
}

function chapters(
  durationSeconds: number,
  titles: readonly string[],
): { readonly durationSeconds: number; readonly chapters: readonly TrackChapter[] } {
  const lengthMs = Math.floor((durationSeconds * 1000) / titles.length);
  return {
    durationSeconds,
    chapters: titles.map((title, i) => ({ title, startMs: i * lengthMs, endMs: (i + 1) * lengthMs })),
  };
}

function opf(title: string, author: string, series: string, position: string): string {
  return `<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="2.0">
  <metadata xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:opf="http://www.idpf.org/2007/opf">
    <dc:title>${title}</dc:title>
    <dc:creator opf:role="aut">${author}</dc:creator>
    <dc:date>1870-01-01</dc:date>
    <meta name="calibre:series" content="${series}"/>
    <meta name="calibre:series_index" content="${position}"/>
  </metadata>
</package>
`;
}
