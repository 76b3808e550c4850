import { groupConversation } from '@starling/protocol';
import { groupRoom } from '@starling/rooms';
import { FeedPod } from '../../test/feed-pod.js';
import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { SimulatedStore } from '../../test/simulated-store.js';
import type { ClientConnection } from '../connection/client-connection.js';
import { RoomEvents } from './room-events.js';

const CREW = groupConversation('crew');
const ROOM = groupRoom('crew');

describe('the events of a group’s room', () => {
  let store: SimulatedStore;
  let pod: FeedPod;
  let connection: RecordedConnection;

  beforeEach(async () => {
    store = new SimulatedStore(1);
    pod = new FeedPod(store);
    connection = new RecordedConnection('a', 'ada', new RecordedForm('f', 'object'));
    const { rooms, feed, check, versions } = pod;
    const connections = { get: () => connection as unknown as ClientConnection };
    const sessions = { renew: () => Promise.resolve() };
    new RoomEvents(rooms, connections as never, feed, check, sessions as never, versions).onModuleInit();
    feed.begin(connection, new Map());
    await rooms.join('a', [ROOM]);
    versions.reached('crew', 4);
    feed.attach(connection, store.committed);
  });

  function signal(membershipVersion: number): void {
    const packet = JSON.stringify({ command: -10, membershipVersion });
    const of = { groupId: 'crew', membershipVersion };
    pod.rooms.emit(ROOM, { kind: 'packet', packet, except: null, to: 'all', of });
  }

  it('are packets only as far as this pod knows who has left: an ex-member may still be in the room', () => {
    signal(4);
    signal(5);
    pod.versions.block('crew');
    signal(4);
    pod.versions.reached('crew', 5);
    signal(5);
    expect(connection.packets.map(({ membershipVersion }) => membershipVersion)).toEqual([4, 5]);
  });

  it('bring what nobody was told of, when they say how far the conversation goes', async () => {
    const { partition, position } = store.commit(CREW, 'ben', 'm1', 4);
    pod.rooms.emit(ROOM, { kind: 'head', conversation: CREW, partition, head: 1, headPosition: position });
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(connection.seqsOf(CREW)).toEqual([1]);
  });
});
