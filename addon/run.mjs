/*
 * Starts the runner as the add-on's options say, at the broker that the Supervisor knows. It lies in the image's root,
 * and finds everything from there.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { configurationOf } from "./options.mjs";

const root = import.meta.dirname;
const data = path.join(root, "data");
const main = path.join(root, "app/dist/src/main.js");
const supervisor = process.env.SUPERVISOR_API ?? "http://supervisor";
/** How often it is looked for a broker that was not there. */
const lookMs = Number(process.env.LOOK_MS ?? 30_000);
const pausedForBackup = path.join(data, "paused-for-backup");

let child = null;
let isStopping = false;

for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    isStopping = true;
    child?.kill("SIGTERM");
    if (child === null) process.exit(0);
  });
}

const options = JSON.parse(readFileSync(path.join(data, "options.json"), "utf8"));
let service = options.mqtt_url ? null : await mqttService();
if (!options.mqtt_url && service === null) {
  say("the Supervisor knows no MQTT broker yet: the runner uses its own, which Home Assistant does not see");
  say("install the Mosquitto broker add-on, or set mqtt_url; until then it is looked for");
  setInterval(lookAgain, lookMs).unref();
}
await run();

async function run() {
  for (;;) {
    writeConfiguration();
    const { code, isRestart } = await runOnce();
    if (!isRestart) process.exit(code);
  }
}

function runOnce() {
  const known = service;
  const args = [
    main,
    "run",
    "--config",
    path.join(data, "tomekeeper.yaml"),
    "--data",
    path.join(data, "store"),
  ];
  child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.on("data", (text) => {
    process.stdout.write(text);
    // A backup that was cut short, or one that was restored, has left it paused.
    if (existsSync(pausedForBackup)) goOnAfterBackup();
  });
  return new Promise((resolve) => {
    child.on("exit", (code, signal) => {
      child = null;
      resolve({ code: code ?? (signal === null ? 0 : 1), isRestart: !isStopping && service !== known });
    });
  });
}

/** A broker that came later: the runner begins again, at that one. */
async function lookAgain() {
  if (service !== null || isStopping) return;
  service = await mqttService();
  if (service === null) return;
  say(`there is a broker now, at ${service.host}: the runner begins again`);
  child?.kill("SIGTERM");
}

/** Null where no add-on offers one. */
async function mqttService() {
  try {
    const response = await fetch(`${supervisor}/services/mqtt`, {
      headers: { authorization: `Bearer ${process.env.SUPERVISOR_TOKEN ?? ""}` },
      signal: AbortSignal.timeout(10_000),
    });
    const { result, data: found } = await response.json();
    return result === "ok" && found?.host ? found : null;
  } catch (error) {
    say(`the Supervisor cannot be asked for a broker: ${error.message}`);
    return null;
  }
}

/** With the broker's password in it, so it is nobody else's to read. JSON is YAML. */
function writeConfiguration() {
  const file = path.join(data, "tomekeeper.yaml");
  const text = `${JSON.stringify(configurationOf(options, service), null, 2)}\n`;
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
}

function goOnAfterBackup() {
  spawn(process.execPath, [path.join(root, "backup.mjs"), "post"], { stdio: "inherit" });
}

function say(text) {
  process.stderr.write(`tomekeeper add-on: ${text}\n`);
}
