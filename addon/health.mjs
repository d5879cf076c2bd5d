/* Whether the runner answers for itself. */
import { healthPort } from "./options.mjs";

const response = await fetch(`http://127.0.0.1:${healthPort}/health`, { signal: AbortSignal.timeout(5000) });
process.exit(response.ok ? 0 : 1);
