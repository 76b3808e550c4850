import fc from 'fast-check';
import { ChatType } from './commands.js';
import {
  addressFor,
  conversationOf,
  decodeId,
  encodedIds,
  encodeId,
  groupConversation,
  parseConversation,
  privateConversation,
} from './conversation.js';

const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter((text) => text.isWellFormed());

describe('a conversation key', () => {
  it('comes back as what it was made of, so no two conversations share one', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        const pair = a <= b ? [a, b] : [b, a];
        expect(parseConversation(privateConversation(a, b))).toEqual({ kind: 'private', users: pair });
        expect(privateConversation(a, b)).toBe(privateConversation(b, a));
        expect(parseConversation(groupConversation(a))).toEqual({ kind: 'group', groupId: a });
      }),
      { numRuns: 2000 },
    );
  });

  it('holds every id encoded as it is by itself', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        expect(encodedIds(groupConversation(a))).toEqual({ kind: 'group', ids: [encodeId(a)] });
        const ids = (a <= b ? [a, b] : [b, a]).map(encodeId);
        expect(encodedIds(privateConversation(a, b))).toEqual({ kind: 'private', ids });
        expect(encodeId(a)).toBe(Buffer.from(a).toString('base64url'));
        expect(decodeId(encodeId(a))).toBe(a);
      }),
    );
  });

  it('keeps a byte order mark, which decoders take away: an id with one is another id', () => {
    expect(parseConversation(groupConversation('\ufeffsky'))).toEqual({
      kind: 'group',
      groupId: '\ufeffsky',
    });
  });

  it('fits into subjects and room names', () => {
    fc.assert(
      fc.property(id, id, (a, b) => expect(privateConversation(a, b)).toMatch(/^p\.[\w-]+\.[\w-]+$/)),
    );
    expect(groupConversation('a.b*>')).toMatch(/^g\.[\w-]+$/);
  });

  it('is what each participant addresses', () => {
    fc.assert(
      fc.property(id, id, (me, other) => {
        const key = conversationOf(me, ChatType.Private, other);
        expect(addressFor(key, me)).toEqual({ chatType: ChatType.Private, chatId: other });
        expect(addressFor(key, other)).toEqual({ chatType: ChatType.Private, chatId: me });
      }),
    );
    expect(addressFor(conversationOf('me', ChatType.Group, 'team'), 'me')).toEqual({
      chatType: 1,
      chatId: 'team',
    });
  });
});
