import { Inbox } from './inbox.js';
import type { Lane } from './packet-receiver.js';

describe('Inbox', () => {
  let began: string[];
  let finish: Map<string, () => void>;
  let inbox: Inbox;

  beforeEach(() => {
    began = [];
    finish = new Map();
    inbox = new Inbox(5);
  });

  /** A packet that is under way until `finish` is called. */
  function take(lane: Lane, name: string): boolean {
    return inbox.take(lane, () => {
      began.push(name);
      return new Promise<void>((resolve) => finish.set(name, resolve));
    });
  }

  async function end(name: string): Promise<void> {
    finish.get(name)!();
    await settled();
  }

  /** Long enough for every chain of promises in the inbox. */
  async function settled(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  it('submits in order without waiting for answers', () => {
    take('submit', 'a');
    take('submit', 'b');
    expect(began).toEqual(['a', 'b']);
  });

  it('ends a change of state before the next packet begins', async () => {
    take('state', 'bind');
    take('submit', 'a');
    take('state', 'join');
    take('submit', 'b');
    expect(began).toEqual(['bind']);
    await end('bind');
    expect(began).toEqual(['bind', 'a', 'join']);
    await end('join');
    expect(began).toEqual(['bind', 'a', 'join', 'b']);
  });

  it('keeps the order of what waited when more comes in the moment of a change', async () => {
    take('state', 'bind');
    take('submit', 'a');
    inbox.take('submit', () => void take('submit', 'c'));
    take('submit', 'b');
    await end('bind');
    expect(began[1]).toBe('a');
    expect(began).toContain('c');
    expect(began).toContain('b');
  });

  it('answers reads one after the other, while messages pass them', async () => {
    take('read', 'history');
    take('read', 'read');
    take('submit', 'a');
    await settled();
    expect(began).toEqual(['a', 'history']);
    await end('history');
    expect(began).toEqual(['a', 'history', 'read']);
  });

  it('takes no more than its limit, whatever they wait for, and again after an answer', async () => {
    expect([1, 2, 3, 4, 5, 6].map((i) => take(i === 1 ? 'state' : 'submit', String(i)))).toEqual([
      ...Array<boolean>(5).fill(true),
      false,
    ]);
    await end('1');
    expect(take('submit', '7')).toBe(true);
    expect(inbox.unanswered).toBe(5);
    await end('3');
    expect(inbox.unanswered).toBe(4);
  });

  it('counts an answer given at once as given', () => {
    for (let i = 0; i < 100; i++) expect(inbox.take('submit', () => undefined)).toBe(true);
    expect(inbox.unanswered).toBe(0);
  });

  it('ends after the change of state under way, and begins nothing that waited', async () => {
    let ended = false;
    take('state', 'bind');
    take('submit', 'a');
    inbox.end(() => (ended = true));
    expect(ended).toBe(false);
    await end('bind');
    expect(ended).toBe(true);
    expect(began).toEqual(['bind']);
    take('submit', 'later');
    expect(began).toEqual(['bind']);
  });

  it('ends at once when no state is changing', () => {
    let ended = 0;
    take('submit', 'a');
    inbox.end(() => ended++);
    inbox.end(() => ended++);
    expect(ended).toBe(1);
  });

  it('is idle when the last answer was given', async () => {
    let idle = false;
    take('submit', 'a');
    take('read', 'b');
    void inbox.idle().then(() => (idle = true));
    await end('a');
    expect(idle).toBe(false);
    await end('b');
    expect(idle).toBe(true);
    await inbox.idle();
  });
});
