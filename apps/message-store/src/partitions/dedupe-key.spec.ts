import type { Submit } from '@starling/bus';
import { groupConversation } from '@starling/protocol';
import { dedupeKeyOf } from './dedupe-key.js';

const submit: Submit = {
  messageId: 'gateway-1',
  partition: 0,
  conversation: groupConversation('sea'),
  sender: 'ann',
  clientId: '1',
  contentType: 0,
  content: 'hello',
  fields: '"content":"hello"',
  membershipVersion: 3,
};
const keyOf = (change: Partial<Submit>) => dedupeKeyOf({ ...submit, ...change }).key;

describe('the dedupe key', () => {
  it('is the same for a retry, whatever else its packet carries', () => {
    const retry = {
      messageId: 'gateway-2',
      fields: '"content":"hello","createTime":2',
      membershipVersion: 4,
    };
    expect(keyOf(retry)).toBe(keyOf({}));
  });

  it.each<[string, Partial<Submit>]>([
    ['conversation', { conversation: groupConversation('sky') }],
    ['sender', { sender: 'ben' }],
    ["value of the client's id", { clientId: '2' }],
    ["type of the client's id", { clientId: 1 }],
    ['content type', { contentType: 5 }],
    ['content', { content: 'hello!' }],
  ])('is another for another %s', (_, change) => {
    expect(keyOf(change)).not.toBe(keyOf({}));
  });

  it('keeps unpaired surrogates and shifted borders apart', () => {
    const keys = ['\ud800', '\ud801', '\udc00', '\ufffd', ''].map((content) => keyOf({ content }));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keyOf({ sender: 'a","b', clientId: 'c' })).not.toBe(keyOf({ sender: 'a', clientId: 'b","c' }));
  });
});
