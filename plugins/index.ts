import type { Plugin } from "../src/plugin.ts";
import { ai } from "./ai/ai.ts";
import { audnexus } from "./audnexus/audnexus.ts";
import { goodreads } from "./goodreads/goodreads.ts";
import { googleBooks } from "./google-books/google-books.ts";
import { homeAssistant } from "./home-assistant/home-assistant.ts";
import { homie } from "./homie/homie.ts";
import { itunes } from "./itunes/itunes.ts";
import { openLibrary } from "./open-library/open-library.ts";

/** All plugins there are; sources in the order in which they are asked. */
export const plugins: readonly Plugin[] = [
  audnexus,
  openLibrary,
  googleBooks,
  goodreads,
  itunes,
  ai,
  homeAssistant,
  homie,
];
