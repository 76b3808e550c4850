import { createHash } from 'node:crypto';
import type { Submit } from '@starling/bus';
import type { DedupeKey } from '../repository/message-repository.js';

/**
 * Two packets are the same message when conversation, sender, type and value of the client's id, content type and
 * content are the same. JSON keeps the parts apart and the id's type; UTF-16 keeps unpaired surrogates apart,
 * which UTF-8 would not.
 */
export function dedupeKeyOf({ conversation, sender, clientId, contentType, content }: Submit): DedupeKey {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([conversation, sender, clientId, contentType]));
  hash.update('\n');
  hash.update(content, 'utf16le');
  return { conversation, key: hash.digest('base64url') };
}
