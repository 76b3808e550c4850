import type { Packet } from '../clients/packet.js';

/**
 * A message of a load. Ids of clients are their own affair: a content that tells the message apart is its id, too, so
 * that the checker finds it again.
 */
export function loadMessage(sender: string, chatType: 0 | 1, to: string, content: string): Packet {
  return {
    version: 1,
    command: 3,
    isItMe: true,
    contentType: 0,
    content,
    createTime: 0,
    hasBeenSentId: content,
    fromUserId: sender,
    userId: sender,
    toUserId: to,
    chatType,
  };
}
