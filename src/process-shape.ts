import { enableCompileCache } from "node:module";
import path from "node:path";
import { setFlagsFromString } from "node:v8";

/**
 * Makes the process small and quick to start; to be imported before anything else.
 *
 * The compile cache keeps compiled modules (types stripped) beside the dependencies: a start from the checkout
 * takes 0.7 s instead of 1.8 s and 30 MB less. Where that folder cannot be written there is none, and nothing
 * else changes. The young generation of the heap does not grow: the peak of a scan of 50,000 files fell from 407
 * to 300 MB without loss of speed (measured on 2 cores; as a command line flag the option has no effect).
 */
setFlagsFromString("--semi-space-growth-factor=1");
enableCompileCache(path.join(import.meta.dirname, "..", "node_modules", ".cache", "tomekeeper"));
