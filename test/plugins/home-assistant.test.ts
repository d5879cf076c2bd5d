import path from "node:path";
import { describe, expect, test } from "vitest";
import { type Announced, discovery, ownFilters } from "../../plugins/home-assistant/discovery.ts";
import { homeAssistant } from "../../plugins/home-assistant/home-assistant.ts";

const nodeId = "5ad6f2e0-1b7c-4b3d-9a52-0c1f3a7d9e11";
const facts = {
  runner: { node: "main", nodeId, base: "tomekeeper/main", version: "1.2.3", httpUrl: null },
  sources: ["audnexus", "open-library"],
};
const device = { mode: "device", prefix: "homeassistant" } as const;
const each = { mode: "components", prefix: "homeassistant" } as const;
const deviceTopic = `homeassistant/device/tomekeeper_${nodeId}/config`;
const golden = (name: string) => path.join(import.meta.dirname, "golden", name);

type Json = Readonly<Record<string, unknown>>;

function announced(wanted: typeof device | typeof each, sources = facts.sources): Announced {
  const { after } = discovery(wanted, null, { ...facts, sources });
  if (after === null) throw new Error("nothing was announced");
  return after;
}

function componentsOf(payload: string): Readonly<Record<string, Json>> {
  return JSON.parse(payload).components;
}

describe("the device's message", () => {
  const [message] = discovery(device, null, facts).messages;
  const payload = message?.payload ?? "";
  const entities = Object.entries(componentsOf(payload)).filter(
    ([, { platform }]) => platform !== "device_automation",
  );

  test("is the same to the byte, and as it was committed", async () => {
    expect(discovery(device, announced(device), facts).messages).toEqual([{ topic: deviceTopic, payload }]);
    expect(message?.topic).toBe(deviceTopic);
    await expect(`${JSON.stringify(JSON.parse(payload), null, 2)}\n`).toMatchFileSnapshot(
      golden("device.json"),
    );
  });

  test("names the device by its UUID, and says who made it and when it is there", () => {
    expect(JSON.parse(payload)).toMatchObject({
      device: { identifiers: [`tomekeeper_${nodeId}`], serial_number: nodeId, sw_version: "1.2.3" },
      origin: { name: "tomekeeper", sw_version: "1.2.3", support_url: expect.stringMatching(/^https:/) },
      availability: [{ topic: "tomekeeper/main/availability" }],
      qos: 1,
    });
  });

  test.each(entities)(
    "has in %s what Home Assistant asks for, and nothing that it has given up",
    (key, component) => {
      const { platform, unique_id, default_entity_id, name } = component;
      expect(Object.keys(component)[0]).toBe("platform");
      expect(unique_id).toBe(`tomekeeper_${nodeId}_${key}`);
      expect(default_entity_id).toBe(`${platform}.tomekeeper_${key}`);
      expect(name).toMatch(/^[A-Z][\w /-]*$/);
      for (const gone of ["object_id", "expire_after", "value", "schema"])
        expect(component).not.toHaveProperty(gone);
      if (component["device_class"] === "enum") {
        expect(component).toMatchObject({ options: expect.any(Array) });
        expect(component).not.toHaveProperty("unit_of_measurement");
        expect(component).not.toHaveProperty("state_class");
      }
      if (component["device_class"] === "timestamp") expect(component).not.toHaveProperty("state_class");
      for (const topic of [component["state_topic"], component["command_topic"]])
        expect(topic ?? "tomekeeper/main/x").toMatch(/^tomekeeper\/main\/[a-z-]+(\/[a-z-]+)?$/);
      if (["switch", "number", "select"].includes(String(platform))) {
        expect(component).toMatchObject({ optimistic: false, state_topic: expect.any(String) });
      }
    },
  );

  test("has an entity for each thing that the contract names", () => {
    const byPlatform = Map.groupBy(entities, ([, { platform }]) => String(platform));
    expect([...byPlatform].map(([platform, some]) => [platform, some.length])).toEqual([
      ["binary_sensor", 5],
      ["sensor", 19],
      ["button", 6],
      ["switch", 1],
      ["number", 2],
      ["select", 2],
      ["event", 1],
    ]);
  });

  test("has the newest book's cover where the hub can reach it", () => {
    const runner = { ...facts.runner, httpUrl: "http://nas.local:9464" };
    const [other] = discovery(device, null, { ...facts, runner }).messages;
    expect(componentsOf(payload)).not.toHaveProperty("cover");
    expect(componentsOf(other?.payload ?? "")["cover"]).toEqual({
      platform: "image",
      unique_id: `tomekeeper_${nodeId}_cover`,
      default_entity_id: "image.tomekeeper_cover",
      name: "Newest cover",
      url_topic: "tomekeeper/main/cover",
      url_template: "{{ value_json.url }}",
    });
  });

  test("of another node has other names, and topics of its own", () => {
    const runner = { ...facts.runner, node: "bed-room", base: "tomekeeper/bed-room" };
    const [other] = discovery(device, null, { ...facts, runner }).messages;
    const { books } = componentsOf(other?.payload ?? "");
    expect(books).toMatchObject({
      default_entity_id: "sensor.tomekeeper_bed_room_books",
      state_topic: "tomekeeper/bed-room/library",
    });
    expect(JSON.parse(other?.payload ?? "").device.name).toBe("Tomekeeper bed-room");
  });
});

describe("what changes", () => {
  test("goes in two steps where an entity goes: named by its platform alone, then not at all", () => {
    const { messages, after } = discovery(device, announced(device), { ...facts, sources: ["audnexus"] });
    expect(messages.map(({ topic }) => topic)).toEqual([deviceTopic, deviceTopic]);
    const [first, second] = messages.map(({ payload }) => componentsOf(payload));
    expect(first).toMatchObject({ breaker_problem_audnexus: { unique_id: expect.any(String) } });
    expect(first?.["breaker_problem_open_library"]).toEqual({ platform: "binary_sensor" });
    expect(first?.["breaker_state_open_library"]).toEqual({ platform: "sensor" });
    expect(second).not.toHaveProperty("breaker_problem_open_library");
    expect(Object.keys(after?.components ?? {})).toEqual(Object.keys(second ?? {}));
  });

  test("is handed over from one message for each entity to that of the device, and back", async () => {
    const one = discovery(each, null, facts);
    expect(one.messages.every(({ topic }) => topic.endsWith("/config") && topic.includes(nodeId))).toBe(true);
    const books = one.messages.find(
      ({ topic }) => topic.includes("/sensor/") && topic.endsWith("/books/config"),
    );
    expect(JSON.parse(books?.payload ?? "")).toMatchObject({
      unique_id: `tomekeeper_${nodeId}_books`,
      device: { identifiers: [`tomekeeper_${nodeId}`] },
      availability: [{ topic: "tomekeeper/main/availability" }],
    });
    expect(JSON.parse(books?.payload ?? "")).not.toHaveProperty("platform");
    const text = one.messages.map(({ topic, payload }) => `${topic}\n${payload}\n`).join("\n");
    await expect(text).toMatchFileSnapshot(golden("components.txt"));

    const toDevice = discovery(device, one.after, facts).messages;
    const count = one.messages.length;
    expect(toDevice.slice(0, count).every(({ payload }) => payload === '{"migrate_discovery":true}')).toBe(
      true,
    );
    expect(toDevice[count]).toEqual(discovery(device, null, facts).messages[0]);
    expect(toDevice.slice(count + 1)).toEqual(one.messages.map(({ topic }) => ({ topic, payload: "" })));

    const back = discovery(each, announced(device), facts).messages;
    expect(back[0]).toEqual({ topic: deviceTopic, payload: '{"migrate_discovery":true}' });
    expect(back.slice(1, -1)).toEqual(one.messages);
    expect(back.at(-1)).toEqual({ topic: deviceTopic, payload: "" });
  });

  test("is emptied where it is not wanted any more, or was under another prefix", () => {
    const off = { mode: "off", prefix: "homeassistant" } as const;
    expect(discovery(off, announced(device), facts)).toEqual({
      messages: [{ topic: deviceTopic, payload: "" }],
      after: null,
    });
    expect(discovery(off, null, facts).messages).toEqual([]);
    const elsewhere = discovery({ mode: "device", prefix: "ha" }, announced(each), facts).messages;
    expect(elsewhere.at(-1)?.topic).toBe(`ha/device/tomekeeper_${nodeId}/config`);
    expect(
      elsewhere
        .slice(0, -1)
        .every(({ topic, payload }) => topic.startsWith("homeassistant/") && payload === ""),
    ).toBe(true);
  });

  test("lies below filters that match nobody else's", () => {
    const filters = ownFilters("homeassistant", nodeId).map(
      (filter) => new RegExp(`^${filter.replaceAll("+", "[^/]+")}$`),
    );
    const all = [...discovery(device, null, facts).messages, ...discovery(each, null, facts).messages];
    expect(all.every(({ topic }) => filters.some((filter) => filter.test(topic)))).toBe(true);
  });
});

test("its settings are checked, and say what others may do with its topics", () => {
  expect(homeAssistant.settings?.parse({})).toEqual({ discovery: "device", prefix: "homeassistant" });
  for (const wrong of [{ discovery: "yes" }, { prefix: "a/b" }, { prefix: "#" }, { other: 1 }])
    expect(homeAssistant.settings?.safeParse(wrong).success).toBe(false);
  expect(homeAssistant.access({ discovery: "device", prefix: "ha" }, nodeId)).toEqual({
    publish: ["ha/status"],
    read: ["ha"],
  });
});
