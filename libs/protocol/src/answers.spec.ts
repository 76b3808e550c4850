import { HEARTBEAT_ANSWER, answerCommand, refusalAnswer } from './answers.js';
import { Command, ContentType } from './commands.js';
import { Refusal } from './errors.js';
import { messageFields, unstoredAnswerText } from './message-body.js';
import { packetSchemas, type SendMessageRequest } from './packets/packet-schemas.js';

const schemas = packetSchemas({ maxIdLength: 64 });
const message = {
  version: 1,
  command: Command.SendMessage,
  contentType: ContentType.Text,
  content: 'hello',
  hasBeenSentId: 17,
  fromUserId: 'alice',
  toUserId: 'team',
  chatType: 1,
} satisfies SendMessageRequest;

const answer = (...args: Parameters<typeof refusalAnswer>) => JSON.parse(refusalAnswer(...args));

describe('the command of an answer', () => {
  it('is the next one away from zero, in the table and beyond', () => {
    for (const [request, response] of [
      [Command.Bind, Command.BindAnswer],
      [Command.SendMessage, Command.Message],
      [Command.Heartbeat, Command.HeartbeatAnswer],
      [Command.Read, Command.ReadAnswer],
      [Command.Signal, Command.SignalPush],
      [99, 100],
    ]) {
      expect(answerCommand(request)).toBe(response);
    }
  });

  it('is 0 for what is no request', () => {
    for (const command of [0, 2, -10, 1.5, 129, Number.NaN, '1', null, undefined, {}])
      expect(answerCommand(command)).toBe(0);
  });
});

describe('a refusal', () => {
  it('says what is wrong, by text and number', () => {
    const refused = answer(
      new Refusal('INVALID_FIELD', 'userId: must be a string'),
      { version: 1, command: 1 },
      null,
    );
    expect(refused).toEqual({
      version: 1,
      command: 2,
      success: false,
      errorMsg: 'userId: must be a string',
      errorCode: 1009,
    });
    expect(schemas.responses[Command.BindAnswer].safeParse(refused).success).toBe(true);
  });

  it('names the conversation it is about', () => {
    const join = { version: 1, command: Command.JoinGroup, chatId: 'team', chatType: 1, userId: 'alice' };
    const refused = answer(new Refusal('REMOVED_FROM_GROUP'), join, 'alice');
    expect(refused).toMatchObject({ command: 8, chatId: 'team', errorCode: 3004 });
    expect(schemas.responses[Command.JoinGroupAnswer].safeParse(refused).success).toBe(true);
    expect(
      answer(new Refusal('INVALID_FIELD'), { ...join, chatId: { $gt: '' } }, 'alice'),
    ).not.toHaveProperty('chatId');
  });

  it('of a message echoes it under the name of the bound user', () => {
    const forged = { ...message, fromUserId: 'bob', extra: [1], success: true, errorMsg: 'x', isItMe: false };
    const refused = answer(new Refusal('NOT_THE_BOUND_USER'), forged, 'alice');
    expect(refused).toEqual({
      ...forged,
      command: 4,
      isItMe: true,
      fromUserId: 'alice',
      success: false,
      errorMsg: 'the packet names another user than the bound one',
      errorCode: 2003,
    });
    expect(schemas.responses[Command.Message].safeParse(refused).success).toBe(true);
  });

  it('of a message before login has no content that a client would show', () => {
    const refused = answer(new Refusal('NOT_LOGGED_IN'), message, null);
    expect(refused).toMatchObject({
      command: 4,
      content: '',
      hasBeenSentId: 17,
      success: false,
      errorCode: 2001,
    });
  });

  it('of what could not be read has command 0', () => {
    expect(answer(new Refusal('BAD_JSON'), null, 'alice')).toMatchObject({ command: 0, errorCode: 1003 });
  });
});

it('answers a message without content as a success that was not stored', () => {
  const empty = { ...message, content: '' };
  const unstored = JSON.parse(unstoredAnswerText(messageFields(empty, 'alice')));
  expect(unstored).toEqual({ ...empty, command: 4, isItMe: true, success: true, userId: 'alice' });
  expect(schemas.responses[Command.Message].safeParse(unstored).success).toBe(true);
});

it('answers a heartbeat with as little as possible', () => {
  expect(JSON.parse(HEARTBEAT_ANSWER)).toEqual({ version: 1, command: 18 });
});
