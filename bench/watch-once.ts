import { once } from "node:events";
import { watch } from "chokidar";
import { collectGarbage } from "../src/health/collect.ts";
import { createFileWatch, createFolderWatch } from "../src/library/watch-sources.ts";
import "../src/process-shape.ts";

/* A process of its own that watches a folder once, and prints how long it took to be ready and what it holds then. */

const [way = "", root = ""] = process.argv.slice(2);
const before = process.memoryUsage().rss;
const startMs = performance.now();
const place = { path: root, isLeftOut: () => false, onFolder: () => {}, onTrouble: console.error };
if (way === "chokidar") await once(watch(root, { ignoreInitial: true }), "ready");
else await (way === "inbox" ? createFileWatch(place) : createFolderWatch(place)).start();
const readyMs = performance.now() - startMs;
const peakBytes = process.memoryUsage().rss - before;
collectGarbage();
console.log(JSON.stringify({ readyMs, peakBytes, keptBytes: process.memoryUsage().rss - before }));
process.exit();
