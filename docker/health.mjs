/* Whether the runner answers for itself. */
const response = await fetch(`http://127.0.0.1:${process.env.TOMEKEEPER_HTTP__PORT}/health`, {
  signal: AbortSignal.timeout(5000),
});
process.exit(response.ok ? 0 : 1);
