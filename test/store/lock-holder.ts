import { acquireLock } from "../../src/store/lock.ts";

/** Takes the lock on the folder that it is given, says so and keeps it until it is killed. */
await acquireLock(process.argv[2] ?? "", new Date());
console.log("held");
process.stdin.resume();
