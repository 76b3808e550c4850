import { type BodyCipher, openBody, sealBody, SERIALIZER_ENCRYPTED } from './body-cipher.js';
import { decodeCesu8, encodeCesu8, frame, SERIALIZER_JSON, unframe } from './byte-frame.js';
import type { Packet } from './packet.js';

/** The frame around any text; in a plain one, unpaired surrogates go out as webim.js would send them. */
export function encodeText(version: number, command: number, text: string, cipher?: BodyCipher): Buffer {
  return cipher
    ? frame(version, SERIALIZER_ENCRYPTED, command, sealBody(cipher, text))
    : frame(version, SERIALIZER_JSON, command, encodeCesu8(text));
}

/** Throws when the bytes are anything but a frame that a client of this cipher understands. */
export function decodePacket(bytes: Buffer, cipher?: BodyCipher): Packet {
  const { version, serializer, command, body } = unframe(bytes);
  const expected = cipher ? SERIALIZER_ENCRYPTED : SERIALIZER_JSON;
  if (serializer !== expected) throw new Error(`serializer ${serializer} instead of ${expected}`);
  const packet = JSON.parse(cipher ? openBody(cipher, body) : decodeCesu8(body)) as Packet;
  if (packet.command !== command)
    throw new Error(`command ${command} around a body of command ${packet.command}`);
  if (packet.version !== version)
    throw new Error(`version ${version} around a body of version ${packet.version}`);
  return packet;
}
