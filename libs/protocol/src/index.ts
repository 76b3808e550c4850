export * from './answers.js';
export * from './cesu8.js';
export * from './cipher.js';
export * from './ciphers/aead.js';
export * from './ciphers/aes-gcm.js';
export * from './ciphers/none.js';
export * from './close-reasons.js';
export * from './commands.js';
export * from './conversation.js';
export * from './errors.js';
export * from './frame.js';
export { guardPacket, type JsonObject, type PacketLimits } from './json-guard.js';
export {
  messageFields,
  messagePacketText,
  storedBody,
  unstoredAnswerText,
  type StoredAs,
} from './message-body.js';
export * from './packet-frame.js';
export * from './packet-text.js';
export type { SchemaLimits } from './packets/field-schemas.js';
export { MESSAGES_PER_ANSWER } from './packets/history-packets.js';
export * from './packets/packet-schemas.js';
export * from './packets/parse-request.js';
export { MAX_PLATFORM_LENGTH } from './packets/session-packets.js';
export * from './ciphers/noble-aead.js';
