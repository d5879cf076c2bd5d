import fc from "fast-check";
import mqttPacket from "mqtt-packet";
import { expect, test } from "vitest";
import { createPacketGuard } from "../../src/bus/packet-limit.ts";

const publish = (sizeBytes: number): Buffer =>
  mqttPacket.generate({
    cmd: "publish",
    topic: "t",
    payload: Buffer.alloc(sizeBytes),
    qos: 0,
    dup: false,
    retain: false,
  });

test("lets packets pass however they are cut into chunks, and stops at the first that is too large", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(sizes, cuts, fc.boolean(), (payloads, chunkSizes, endsTooLarge) => {
      const packets = payloads.map(publish);
      if (endsTooLarge) packets.push(publish(1_001));
      const bytes = Buffer.concat(packets);
      const guard = createPacketGuard(1_000);
      let passed = true;
      for (let at = 0, i = 0; at < bytes.length && passed; i++) {
        const size = chunkSizes[i % chunkSizes.length] ?? 1;
        passed = guard(bytes.subarray(at, at + size));
        at += size;
      }
      expect(passed).toBe(!endsTooLarge);
    }),
  );
});

test("stops at the announced length, before the packet itself has come", () => {
  const guard = createPacketGuard(1_048_576);
  expect(guard(publish(2_000_000).subarray(0, 5))).toBe(false);
});

test("stops at a length that never ends", () => {
  const guard = createPacketGuard(2 ** 40);
  expect(guard(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]))).toBe(false);
});
