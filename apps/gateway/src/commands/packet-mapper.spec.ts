import type { StoredMessage, SyncedConversation } from '@starling/bus';
import { loadConfig } from '@starling/config';
import {
  Command,
  conversationOf,
  groupConversation,
  packetSchemas,
  privateConversation,
  storedBody,
  type SendMessageRequest,
} from '@starling/protocol';
import { AnswerBudget } from './answer-budget.js';
import { acknowledgement, historyAnswer, submitOf, syncAnswer } from './packet-mapper.js';

const { responses } = packetSchemas({ maxIdLength: 128 });

function request(fields: Partial<SendMessageRequest> = {}): SendMessageRequest {
  return {
    version: 1,
    command: 3,
    isItMe: false,
    contentType: 0,
    content: 'hello "😀"',
    createTime: 1,
    hasBeenSentId: 7,
    toUserId: 'ben',
    chatType: 0,
    custom: { kept: [1, 'x'] },
    ...fields,
  };
}

function stored(sender: string, seq: number, content = 'hello'): StoredMessage {
  const { fields } = submitOf(request({ content, toUserId: 'team', chatType: 1 }), sender, {
    messageId: `m${seq}`,
    membershipVersion: 1,
    partitions: 8,
  });
  return {
    conversation: groupConversation('team'),
    seq,
    messageId: `m${seq}`,
    sender,
    serverTime: 5,
    partition: 0,
    position: seq,
    previousPosition: seq - 1,
    membershipVersion: 1,
    body: storedBody(fields, { messageId: `m${seq}`, seq, serverTime: 5 }),
  };
}

describe('a submit', () => {
  const submit = submitOf(request({ seq: 9, messageId: 'forged', success: false }), 'ann', {
    messageId: 'g.1',
    membershipVersion: 0,
    partitions: 8,
  });

  it('is of the bound user, in the conversation that the packet addresses', () => {
    expect(submit).toMatchObject({
      messageId: 'g.1',
      sender: 'ann',
      conversation: privateConversation('ann', 'ben'),
      clientId: 7,
      contentType: 0,
      content: 'hello "😀"',
    });
    const group = submitOf(request({ chatType: 1 }), 'ann', {
      messageId: 'x',
      membershipVersion: 4,
      partitions: 8,
    });
    expect(group.conversation).toBe(groupConversation('ben'));
    expect(group.partition).toBeLessThan(8);
    expect(group.membershipVersion).toBe(4);
  });

  it('carries the packet’s fields, without what the server sets', () => {
    expect(JSON.parse(`{${submit.fields}}`)).toEqual({
      contentType: 0,
      content: 'hello "😀"',
      createTime: 1,
      hasBeenSentId: 7,
      toUserId: 'ben',
      chatType: 0,
      custom: { kept: [1, 'x'] },
      fromUserId: 'ann',
      userId: 'ann',
    });
  });

  it('is acknowledged with the first packet’s id and seq', () => {
    const text = acknowledgement(submit, {
      kind: 'stored',
      messageId: 'first',
      seq: 3,
      serverTime: 6,
      duplicate: true,
    });
    const packet = responses[Command.Message].parse(JSON.parse(text));
    expect(packet).toMatchObject({
      isItMe: true,
      success: true,
      messageId: 'first',
      seq: 3,
      serverTime: 6,
      custom: {},
    });
  });
});

describe('history', () => {
  it('holds whole packets, each as its reader sees it', () => {
    const text = historyAnswer({ chatType: 1, chatId: 'team' }, 'ann', {
      messages: [stored('ann', 1), stored('ben', 2)],
      more: true,
      head: 9,
    });
    const answer = responses[Command.HistoryAnswer].parse(JSON.parse(text));
    if (!answer.success) throw new Error('a refusal');
    expect(answer).toMatchObject({ chatType: 1, chatId: 'team', more: true, head: 9, errorMsg: '' });
    expect(answer.messages.map(({ seq, isItMe, command }) => [seq, isItMe, command])).toEqual([
      [1, true, 4],
      [2, false, 4],
    ]);
  });

  it('may be empty', () => {
    const text = historyAnswer({ chatType: 0, chatId: 'ben' }, 'ann', { messages: [], more: false, head: 0 });
    expect(responses[Command.HistoryAnswer].safeParse(JSON.parse(text)).success).toBe(true);
  });
});

describe('sync', () => {
  it('addresses each conversation as its reader does', () => {
    const group: SyncedConversation = {
      conversation: groupConversation('team'),
      head: 5,
      read: 2,
      last: stored('ben', 5),
      missing: [stored('ann', 4), stored('ben', 5)],
      more: false,
    };
    const chat = {
      ...group,
      conversation: conversationOf('ben', 0, 'ann'),
      last: null,
      missing: [],
      head: 0,
      read: 0,
    };
    const text = syncAnswer('ann', {
      conversations: [group, chat],
      removed: [{ chatType: 1, chatId: 'gone' }],
      cursor: null,
    });
    const answer = responses[Command.SyncAnswer].parse(JSON.parse(text));
    if (!answer.success) throw new Error('a refusal');
    expect(answer.conversations.map(({ chatType, chatId, unread }) => [chatType, chatId, unread])).toEqual([
      [1, 'team', 3],
      [0, 'ben', 0],
    ]);
    expect(answer.conversations[0]!.messages.map(({ isItMe }) => isItMe)).toEqual([true, false]);
    expect(answer.conversations[1]!.last).toBeNull();
    expect(answer.removed).toEqual([{ chatType: 1, chatId: 'gone' }]);
  });
});

describe('the budget of an answer', () => {
  const config = loadConfig({ MAX_OUTBOUND_BYTES: '131072', MAX_PACKET_BYTES: '32768' });
  const messages = [1, 2, 3, 4, 5].map((seq) => stored('ann', seq, 'x'.repeat(10_000)));

  it('keeps the beginning or the end, whichever was asked for', () => {
    expect(new AnswerBudget(config).oldest(messages).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(new AnswerBudget(config).newest(messages).map(({ seq }) => seq)).toEqual([3, 4, 5]);
  });

  it('lets one message through however large, and everything that is small', () => {
    const large = stored('ann', 1, 'x'.repeat(100_000));
    expect(new AnswerBudget(config).oldest([large, ...messages])).toEqual([large]);
    expect(new AnswerBudget(config).newest([...messages, large])).toEqual([large]);
    expect(new AnswerBudget(config).oldest([])).toEqual([]);
    expect(new AnswerBudget(config).newest([stored('ann', 1), stored('ann', 2)])).toHaveLength(2);
  });

  it('counts what is sent anyway', () => {
    const budget = new AnswerBudget(config);
    budget.spend(messages[0]!);
    budget.spend(null);
    expect(budget.oldest(messages)).toHaveLength(2);
  });
});
