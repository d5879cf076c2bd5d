import { eventTypes, type HubContext, strategies } from "../../src/plugin.ts";

/** An entity of the device, in the full names of Home Assistant's MQTT discovery; `platform` comes first. */
export type Component = { readonly platform: string } & Readonly<Record<string, unknown>>;

type Facts = Pick<HubContext<unknown>, "sources"> & {
  readonly runner: { readonly node: string; readonly base: string; readonly httpUrl: string | null };
};

/** What people build automations on most: these come as triggers of the device, too. */
const triggers: Readonly<Record<string, string>> = {
  scan_finished: "Scan finished",
  book_added: "Book added",
  needs_review: "Book needs review",
  organize_finished: "Organize finished",
  undo_finished: "Undo finished",
  operation_failed: "Operation failed",
  breaker_opened: "Source stopped answering",
  diagnostics_changed: "Diagnostics changed",
};

const breakerStates = ["closed", "open", "half_open", "isolated"];
const diagnostic = { entity_category: "diagnostic" } as const;
const count = { state_class: "measurement" } as const;

/**
 * All entities by their keys, in a fixed order. What is essential is a sensor, a binary_sensor, a button or a switch,
 * since other hubs that read this discovery know no other platforms.
 */
export function components(facts: Facts): Readonly<Record<string, Component>> {
  const { base } = facts.runner;
  const command = (name: string): string => `${base}/cmd/${name}`;
  const state = (topic: string, template: string) => ({
    state_topic: `${base}/${topic}`,
    value_template: `{{ ${template} }}`,
  });
  const button = (key: string, name: string, icon: string, cmd: string) =>
    entity(facts, "button", key, { name, icon, command_topic: command(cmd), payload_press: "{}" });
  const sensor = (key: string, entries: Readonly<Record<string, unknown>>) =>
    entity(facts, "sensor", key, entries);
  const binary = (key: string, entries: Readonly<Record<string, unknown>>) =>
    entity(facts, "binary_sensor", key, entries);
  return Object.fromEntries([
    binary("scanning", {
      name: "Scanning",
      device_class: "running",
      ...state("scan", "'ON' if value_json.state in ['walking', 'reading', 'saving', 'resuming'] else 'OFF'"),
    }),
    binary("startup_problem", {
      name: "Startup problem",
      device_class: "problem",
      ...diagnostic,
      ...state("diagnostics", "'OFF' if value_json.worst == 'ok' else 'ON'"),
      json_attributes_topic: `${base}/diagnostics`,
      json_attributes_template:
        "{{ {'checks': value_json.checks | rejectattr('severity', 'eq', 'ok') | list} | tojson }}",
    }),
    binary("memory_problem", {
      name: "Memory problem",
      device_class: "problem",
      ...diagnostic,
      ...state("memory", "'OFF' if value_json.level == 'normal' else 'ON'"),
    }),
    sensor("scan_progress", {
      name: "Scan progress",
      icon: "mdi:progress-clock",
      ...count,
      unit_of_measurement: "%",
      suggested_display_precision: 0,
      ...state("scan", "value_json.percent"),
    }),
    sensor("scan_eta", {
      name: "Scan time left",
      device_class: "duration",
      unit_of_measurement: "s",
      enabled_by_default: false,
      ...state("scan", "value_json.eta_seconds"),
    }),
    sensor("queue_depth", {
      name: "Queue depth",
      icon: "mdi:tray-full",
      ...count,
      unit_of_measurement: "operations",
      ...state("queue", "value_json.counts.queued + value_json.counts.waiting"),
    }),
    sensor("queue_state", {
      name: "Queue state",
      icon: "mdi:tray",
      device_class: "enum",
      options: ["running", "paused", "stopped"],
      ...state("queue", "value_json.state"),
    }),
    sensor("running_operation", {
      name: "Running operation",
      icon: "mdi:cog-play",
      ...state(
        "queue",
        "((value_json.running | first).kind ~ ' ' ~ (value_json.running | first).scope)[:255] if value_json.running else 'none'",
      ),
    }),
    sensor("books", {
      name: "Books",
      icon: "mdi:book-music",
      ...count,
      unit_of_measurement: "books",
      ...state("library", "value_json.books"),
    }),
    sensor("authors", {
      name: "Authors",
      icon: "mdi:account-edit",
      ...count,
      unit_of_measurement: "authors",
      ...state("library", "value_json.authors"),
    }),
    sensor("series", {
      name: "Series",
      icon: "mdi:bookshelf",
      ...count,
      unit_of_measurement: "series",
      ...state("library", "value_json.series"),
    }),
    sensor("library_size", {
      name: "Library size",
      device_class: "data_size",
      ...count,
      unit_of_measurement: "B",
      suggested_unit_of_measurement: "GB",
      suggested_display_precision: 1,
      ...state("library", "value_json.bytes"),
    }),
    sensor("total_duration", {
      name: "Total duration",
      device_class: "duration",
      ...count,
      unit_of_measurement: "s",
      suggested_unit_of_measurement: "h",
      suggested_display_precision: 0,
      ...state("library", "value_json.duration_seconds"),
    }),
    sensor("missing", {
      name: "Missing books",
      icon: "mdi:book-remove",
      ...count,
      unit_of_measurement: "books",
      ...state("library", "value_json.missing"),
    }),
    sensor("needs_review", {
      name: "Books to review",
      icon: "mdi:book-alert",
      ...count,
      unit_of_measurement: "books",
      ...state("library", "value_json.needs_review"),
    }),
    sensor("last_scan", {
      name: "Last scan",
      device_class: "timestamp",
      ...state("library", "value_json.last_scan"),
    }),
    sensor("last_organized", {
      name: "Last organized",
      device_class: "timestamp",
      ...state("organize", "value_json.last_batch.finished_at if value_json.last_batch else none"),
    }),
    sensor("diagnostics_worst", {
      name: "Diagnostics",
      icon: "mdi:stethoscope",
      device_class: "enum",
      options: ["ok", "warn", "fatal"],
      ...diagnostic,
      ...state("diagnostics", "value_json.worst"),
    }),
    sensor("memory_level", {
      name: "Memory level",
      icon: "mdi:memory",
      device_class: "enum",
      options: ["normal", "elevated", "critical"],
      ...diagnostic,
      ...state("memory", "value_json.level"),
    }),
    sensor("workers", {
      name: "Workers",
      icon: "mdi:account-hard-hat",
      ...count,
      ...diagnostic,
      enabled_by_default: false,
      ...state("queue", "value_json.workers.current"),
    }),
    ...facts.sources.flatMap((source) => {
      const [key, title, topic] = [source.replaceAll("-", "_"), titleOf(source), `breaker/${source}`];
      return [
        binary(`breaker_problem_${key}`, {
          name: `${title} problem`,
          device_class: "problem",
          ...diagnostic,
          ...state(topic, "'OFF' if value_json.state == 'closed' else 'ON'"),
        }),
        sensor(`breaker_state_${key}`, {
          name: `${title} breaker`,
          icon: "mdi:electric-switch",
          device_class: "enum",
          options: breakerStates,
          ...diagnostic,
          ...state(topic, "value_json.state"),
        }),
      ];
    }),
    button("scan", "Scan", "mdi:magnify-scan", "scan"),
    button("organize", "Organize", "mdi:folder-move", "organize"),
    button("undo_last", "Undo last organize", "mdi:undo", "undo"),
    button("fetch_metadata", "Fetch metadata", "mdi:cloud-download", "fetch"),
    button("cancel_current", "Cancel current operation", "mdi:cancel", "cancel"),
    button("run_diagnostics", "Run diagnostics", "mdi:stethoscope", "diagnose"),
    entity(facts, "switch", "queue_paused", {
      name: "Queue paused",
      icon: "mdi:pause-circle",
      ...state("queue", "'ON' if value_json.state == 'paused' else 'OFF'"),
      command_topic: command("pause"),
      payload_on: '{"paused":true}',
      payload_off: '{"paused":false}',
      state_on: "ON",
      state_off: "OFF",
      optimistic: false,
    }),
    setting("number", "scan_concurrency", "Scan concurrency", "mdi:speedometer", { min: 1, max: 64 }),
    setting("number", "operation_concurrency", "Operations at once", "mdi:speedometer", { min: 1, max: 32 }),
    setting("select", "organize_strategy", "Organize strategy", "mdi:folder-cog", { options: strategies }),
    setting("select", "log_level", "Log level", "mdi:text-box-outline", {
      options: ["debug", "info", "warn", "error"],
    }),
    entity(facts, "event", "activity", {
      name: "Activity",
      icon: "mdi:book-clock",
      state_topic: `${base}/event`,
      event_types: eventTypes,
    }),
    ...(facts.runner.httpUrl === null
      ? []
      : [
          entity(facts, "image", "cover", {
            name: "Newest cover",
            url_topic: `${base}/cover`,
            url_template: "{{ value_json.url }}",
          }),
        ]),
    ...Object.entries(triggers).map(([event, name]) => trigger(base, event, name)),
  ]);

  function setting(
    platform: "number" | "select",
    key: string,
    name: string,
    icon: string,
    range: Readonly<Record<string, unknown>>,
  ): readonly [string, Component] {
    const value = platform === "number" ? "{{ value | int }}" : '"{{ value }}"';
    return entity(facts, platform, key, {
      name,
      icon,
      entity_category: "config",
      ...range,
      ...(platform === "number" ? { step: 1, mode: "box" } : {}),
      ...state("settings", `value_json.${key}`),
      command_topic: command("configure"),
      command_template: `{"${key}": ${value}}`,
      optimistic: false,
    });
  }
}

/** `unique_id` is made of the runner's UUID where it is announced: the key alone is the same for all runners. */
function entity(
  { runner }: Facts,
  platform: string,
  key: string,
  entries: Readonly<Record<string, unknown>>,
): readonly [string, Component] {
  const owner = runner.node === "main" ? "tomekeeper" : `tomekeeper_${runner.node.replaceAll("-", "_")}`;
  return [key, { platform, default_entity_id: `${platform}.${owner}_${key}`, ...entries }];
}

/** It has no entity, so it has no name and no id of its own. */
function trigger(base: string, event: string, subtype: string): readonly [string, Component] {
  return [
    `trigger_${event}`,
    {
      platform: "device_automation",
      automation_type: "trigger",
      type: event,
      subtype,
      topic: `${base}/event`,
      value_template: "{{ value_json.event_type }}",
      payload: event,
    },
  ];
}

/** `open-library`: Open Library. */
function titleOf(source: string): string {
  return source
    .split("-")
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`)
    .join(" ");
}
