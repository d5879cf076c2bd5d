/** Where each option of the add-on stands in the configuration. `libraries`, `inboxes` and the broker are apart. */
export const places = {
  node: "node",
  log_level: "log_level",
  scan_concurrency: "scan.concurrency",
  queue_concurrency: "queue.concurrency",
  pause_between: "queue.pause_between",
  organize_strategy: "organize.strategy",
  organize_pattern: "organize.pattern",
  organize_library: "organize.library",
  organize_auto: "organize.auto",
  playlist_dir: "organize.playlist_dir",
  fetch_contact: "fetch.contact",
  audible_region: "sources.audnexus.region",
  write_metadata_json: "write_out.metadata_json",
  write_opf: "write_out.opf",
  write_cover: "write_out.cover",
  discovery: "plugins.home-assistant.discovery",
};

/** Only for what asks from inside: the health check, and what runs before and after a backup. */
export const healthPort = 9464;

/**
 * The configuration that the add-on's options say. `service` is what the Supervisor knows of a broker (null for none);
 * a broker that the user has set wins over it.
 */
export function configurationOf(options, service) {
  const configuration = {
    roots: [...rootsOf(options.libraries, "library"), ...rootsOf(options.inboxes, "inbox")],
    http: { host: "127.0.0.1", port: healthPort },
  };
  for (const [option, place] of Object.entries(places)) {
    const value = options[option];
    if (value !== undefined && value !== null && value !== "") put(configuration, place.split("."), value);
  }
  return { ...configuration, mqtt: brokerOf(options, service) };
}

/** The service's `protocol` is its own wish, and no version that the runner has to speak: it finds that out itself. */
function brokerOf(options, service) {
  if (options.mqtt_url) {
    return {
      url: options.mqtt_url,
      ...(options.mqtt_username ? { username: options.mqtt_username } : {}),
      ...(options.mqtt_password ? { password: options.mqtt_password } : {}),
    };
  }
  // Its own, which only the runner's own commands are told of.
  if (service === null) return { embedded: { port: 0 } };
  return {
    url: `${service.ssl ? "mqtts" : "mqtt"}://${service.host}:${service.port}`,
    ...(service.username ? { username: service.username } : {}),
    ...(service.password ? { password: service.password } : {}),
  };
}

/** Optional, so that a disk which is not there yet is a warning and not the end. */
function rootsOf(folders, kind) {
  return (folders ?? [])
    .filter((folder) => folder !== "")
    .map((folder) => ({ path: folder, kind, optional: true }));
}

function put(target, [first, ...rest], value) {
  if (rest.length === 0) target[first] = value;
  else {
    target[first] ??= {};
    put(target[first], rest, value);
  }
}
