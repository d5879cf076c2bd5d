import type { Duplex } from "node:stream";

/**
 * Watches the lengths that MQTT packets announce in a stream of bytes, without keeping any of it: a byte
 * of type, then up to four bytes of remaining length (MQTT 3.1.1, 2.2.3), then the rest.
 */
export function createPacketGuard(maxPacketBytes: number): (chunk: Buffer) => boolean {
  let restBytes = 0;
  let announced = 0;
  /** -1: the type byte is next; 0 to 3: that byte of the length. */
  let lengthByte = -1;

  return (chunk) => {
    let at = 0;
    while (at < chunk.length) {
      if (restBytes > 0) {
        const skipped = Math.min(restBytes, chunk.length - at);
        restBytes -= skipped;
        at += skipped;
        continue;
      }
      const byte = chunk[at++] ?? 0;
      if (lengthByte === -1) {
        announced = 0;
        lengthByte = 0;
        continue;
      }
      announced += (byte & 0x7f) * 128 ** lengthByte++;
      if (announced > maxPacketBytes || (byte >= 0x80 && lengthByte === 4)) return false;
      if (byte < 0x80) {
        restBytes = announced;
        lengthByte = -1;
      }
    }
    return true;
  };
}

/**
 * Ends the connection when a packet announces more than `maxPacketBytes`, before any of it is kept. The broker
 * takes its bytes from the socket with `read()` and buffers a packet whole, so that is where to look.
 */
export function limitPackets(socket: Duplex, maxPacketBytes: number, onTooLarge: () => void): void {
  const isWithinLimit = createPacketGuard(maxPacketBytes);
  const read = socket.read.bind(socket);
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!Buffer.isBuffer(chunk) || isWithinLimit(chunk)) return chunk;
    onTooLarge();
    socket.destroy();
    return null;
  };
}
