import { type Entitlement, judge, type Message, type Shown } from '../checker/checker.js';
import { addressOf, groupName, messageOf, nameOf, privateName, ViewRecorder } from '../checker/recorder.js';
import { ChatClient } from '../clients/chat-client.js';
import type { Packet } from '../clients/packet.js';
import { type Connection, seenOn, viewsOf } from './connection.js';
import { loadMessage } from './load-message.js';

const ROOM = groupName('room');
const ALL: Entitlement = { after: 0, upTo: null, complete: true };

/** A client whose server is the test. */
class ScriptedClient extends ChatClient {
  constructor() {
    super('ben', 'object');
  }

  gets(...packets: Packet[]): void {
    for (const packet of packets) this.arrived(packet);
  }

  pause(): void {}
  resume(): void {}
  abort(): void {}
  protected beginClose(): void {}
  protected write(): void {}
}

function message(seq: number): Packet {
  return { ...loadMessage('ann', 1, 'room', `message ${seq}`), command: 4, messageId: `m${seq}`, seq };
}

/** That was given the messages of these seqs live, and those of `askedFor` by sync, when the head was `head`. */
function connection(live: number[], askedFor: number[] = [], head: number | null = null): Connection {
  const client = new ScriptedClient();
  const recorder = new ViewRecorder(client);
  client.gets(...live.map(message));
  const shown = askedFor.map((seq): Shown => ({ ...messageOf(message(seq)), answer: true }));
  return { client, recorder, caughtUp: head === null ? null : { heads: new Map([[ROOM, head]]), shown } };
}

/** The rules that are broken, when there are `count` messages. */
function broken(count: number, connections: Connection[], right: Entitlement | null = ALL): string[] {
  const stored: Message[] = Array.from({ length: count }, (_, i) => messageOf(message(i + 1)));
  const sent = stored.map((each) => ({ ...each, acknowledged: each }));
  const rights = new Map(right ? [[ROOM, right]] : []);
  const verdicts = judge({ sent, stored: new Map([[ROOM, stored]]), views: viewsOf(connections, rights) });
  return [...new Set(verdicts.map((verdict) => verdict.slice(0, verdict.indexOf(':'))))];
}

describe('who was cut off and came back', () => {
  it('has seen everything by what was live and what was asked for', () => {
    expect(broken(5, [connection([1, 2]), connection([4, 5], [3, 4], 4)])).toEqual([]);
  });

  it('has seen everything by replay, some of it again', () => {
    expect(broken(5, [connection([1, 2]), connection([2, 3, 4, 5])])).toEqual([]);
  });

  it.each([
    ['the oldest that was missed', connection([4, 5], [], 3)],
    ['one that came while it synced', connection([5], [3], 3)],
    ['one of a replay', connection([3, 5])],
    ['the last', connection([4], [3], 3)],
  ])('is found to have missed %s', (_, back) => {
    expect(broken(5, [connection([1, 2]), back])).toEqual(['missed']);
  });

  it('is found to have missed what only a connection before the last one could know of', () => {
    expect(broken(5, [connection([1]), connection([4], [3], 3), connection([5], [], 4)])).toEqual(['missed']);
  });

  it('is to see each connection in order and once', () => {
    expect(broken(4, [connection([1, 2]), connection([3, 3, 4])])).toEqual(['shown twice']);
    expect(broken(4, [connection([1, 2]), connection([4, 3])])).toEqual(['order']);
  });

  it('may ask for what was said before a short stay, but is not to be shown it', () => {
    const stay: Entitlement = { after: 2, upTo: 3, complete: false };
    expect(broken(4, [connection([3]), connection([], [1, 2, 3, 4], 4)], stay)).toEqual([]);
    expect(broken(4, [connection([3]), connection([4], [1, 2, 3, 4], 4)], stay)).toEqual(['stranger']);
  });

  it('is not to be given what was never theirs, by whatever way', () => {
    expect(broken(1, [connection([]), connection([], [1], 1)], null)).toEqual(['stranger']);
  });
});

it('has seen a conversation up to the first gap', () => {
  expect(seenOn([connection([1, 2, 5])])).toEqual(new Map([[ROOM, 2]]));
  expect(seenOn([connection([1, 2, 5]), connection([6], [3, 4], 5)])).toEqual(new Map([[ROOM, 6]]));
  expect(seenOn([connection([7, 8])])).toEqual(new Map([[ROOM, 0]]));
});

it.each([groupName('a group of ["x"]'), privateName('ben', 'ann ann'), privateName('ben', 'ben')])(
  'addresses %s as its user does',
  (name) => expect(nameOf('ben', addressOf('ben', name))).toBe(name),
);
