import fc from "fast-check";
import { expect, test } from "vitest";
import { createPacketGuard } from "../../src/bus/packet-limit.ts";

/** A PUBLISH on the topic `t` with so many bytes of payload. */
function publish(payloadBytes: number): Buffer {
  const length: number[] = [];
  for (let rest = payloadBytes + 3; length.length === 0 || rest > 0; rest = Math.floor(rest / 128)) {
    length.push((rest % 128) + (rest >= 128 ? 128 : 0));
  }
  return Buffer.concat([Buffer.from([0x30, ...length, 0, 1]), Buffer.from("t"), Buffer.alloc(payloadBytes)]);
}

test("lets packets pass however they are cut into chunks, and stops at the first that is too large", () => {
  const sizes = fc.array(fc.integer({ min: 0, max: 997 }), { minLength: 1, maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(sizes, cuts, fc.boolean(), (payloads, chunkSizes, endsTooLarge) => {
      const packets = payloads.map(publish);
      if (endsTooLarge) packets.push(publish(998));
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
