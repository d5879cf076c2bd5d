import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/*
 * Loaded into the runner before it starts (`node --import`), and with it into its workers: every file below
 * LOG_READS_OF that is opened is a line in the file LOG_READS_TO, written before it is opened, so that a
 * kill -9 hides none.
 */
const folder = process.env["LOG_READS_OF"];
const logFile = process.env["LOG_READS_TO"];

if (folder !== undefined && logFile !== undefined) {
  const { openSync } = fs;
  const log = openSync(logFile, "a");
  fs.openSync = (path, ...rest) => {
    if (String(path).startsWith(folder)) fs.writeSync(log, `${path}\n`);
    return openSync(path, ...rest);
  };
  syncBuiltinESMExports();
}
