import { judge, type Message, type Run, type Sent, type Shown, type View } from './checker.js';

const ROOM = 'group room';

function message(seq: number, changes: Partial<Message> = {}): Message {
  return {
    conversation: ROOM,
    seq,
    messageId: `m${seq}`,
    sender: 'ann',
    id: seq,
    content: `message ${seq}`,
    ...changes,
  };
}

function sent(seq: number, changes: Partial<Sent> = {}): Sent {
  const { conversation, sender, id, content } = message(seq);
  return { conversation, sender, id, content, acknowledged: { messageId: `m${seq}`, seq }, ...changes };
}

function shown(seq: number, changes: Partial<Shown> = {}): Shown {
  const { conversation, messageId, content } = message(seq);
  return { conversation, seq, messageId, content, answer: false, ...changes };
}

function view(
  viewer: string,
  seen: Shown[],
  entitled = { after: 0, upTo: null as number | null, complete: true },
): View {
  return { viewer, shown: seen, entitled: new Map([[ROOM, entitled]]) };
}

/** Ann sends three messages to a room; Ben sees them live; Eve is no member. */
function rightRun(): { sent: Sent[]; stored: Message[]; ann: Shown[]; ben: Shown[]; eve: Shown[] } {
  return {
    sent: [sent(1), sent(2), sent(3)],
    stored: [message(1), message(2), message(3)],
    ann: [shown(1, { answer: true }), shown(2, { answer: true }), shown(3, { answer: true })],
    ben: [shown(1), shown(2), shown(3)],
    eve: [],
  };
}

function judged(change: (run: ReturnType<typeof rightRun>) => void): string[] {
  const made = rightRun();
  change(made);
  const run: Run = {
    sent: made.sent,
    stored: new Map([[ROOM, made.stored]]),
    views: [
      view('ann', made.ann),
      view('ben', made.ben),
      { viewer: 'eve', shown: made.eve, entitled: new Map() },
    ],
  };
  return judge(run);
}

/** The rules that verdicts name, each once. */
function rules(verdicts: string[]): string[] {
  return [...new Set(verdicts.map((verdict) => verdict.slice(0, verdict.indexOf(':'))))];
}

describe('judging right histories', () => {
  it('finds nothing in one where everything held', () => {
    expect(judged(() => undefined)).toEqual([]);
  });

  it('lets an unacknowledged message be stored, or not', () => {
    expect(judged((run) => (run.sent[2] = sent(3, { acknowledged: null })))).toEqual([]);
    expect(judged((run) => run.sent.push(sent(4, { acknowledged: null })))).toEqual([]);
  });

  it('lets the answers of own messages come out of order', () => {
    expect(judged((run) => run.ann.reverse())).toEqual([]);
  });

  it('lets an answered retry repeat what was shown', () => {
    expect(judged((run) => run.ben.push(shown(2, { answer: true })))).toEqual([]);
  });

  it('asks a connection that came later only for what came later', () => {
    const run = rightRun();
    const verdicts = judge({
      sent: run.sent,
      stored: new Map([[ROOM, run.stored]]),
      views: [view('ben', [shown(3)], { after: 2, upTo: null, complete: true })],
    });
    expect(verdicts).toEqual([]);
  });

  it('lets a connection that was cut have missed something', () => {
    const run = rightRun();
    const verdicts = judge({
      sent: run.sent,
      stored: new Map([[ROOM, run.stored]]),
      views: [view('ben', [shown(1)], { after: 0, upTo: null, complete: false })],
    });
    expect(verdicts).toEqual([]);
  });
});

describe('catching wrong histories', () => {
  it('answered before it was stored, then lost', () => {
    const verdicts = judged((run) => {
      run.stored.pop();
      run.ben.pop();
      run.ann.pop();
    });
    expect(rules(verdicts)).toEqual(['lost']);
  });

  it('stored a retry as a second message', () => {
    const verdicts = judged((run) => {
      run.stored.push(message(4, { id: 3, content: 'message 3' }));
      run.ben.push(shown(4, { content: 'message 3' }));
      run.ann.push(shown(4, { content: 'message 3' }));
    });
    expect(rules(verdicts)).toEqual(['stored twice']);
  });

  it('answered with another seq than the stored one', () => {
    const verdicts = judged((run) => (run.sent[1] = sent(2, { acknowledged: { messageId: 'm2', seq: 3 } })));
    expect(rules(verdicts)).toEqual(['wrong answer']);
  });

  it('answered a retry with another message id than the stored one', () => {
    const verdicts = judged(
      (run) => (run.sent[1] = sent(2, { acknowledged: { messageId: 'other', seq: 2 } })),
    );
    expect(rules(verdicts)).toEqual(['wrong answer']);
  });

  it('left a hole where a duplicate had taken a seq', () => {
    const verdicts = judged((run) => {
      run.stored[2] = message(4, { id: 3, content: 'message 3' });
      run.sent[2] = sent(3, { acknowledged: { messageId: 'm4', seq: 4 } });
      run.ann = [];
      run.ben = [];
    });
    expect(rules(verdicts)).toContain('seq');
  });

  it('gave one seq to two messages after a restart', () => {
    const verdicts = judged((run) => {
      run.stored[2] = message(2, { messageId: 'm3', id: 3, content: 'message 3' });
      run.sent[2] = sent(3, { acknowledged: { messageId: 'm3', seq: 2 } });
    });
    expect(rules(verdicts)).toContain('seq');
  });

  it('gave one message id to two messages', () => {
    const verdicts = judged((run) => {
      run.stored[2] = message(3, { messageId: 'm2' });
      run.sent[2] = sent(3, { acknowledged: { messageId: 'm2', seq: 3 } });
      run.ann[2] = shown(3, { messageId: 'm2', answer: true });
      run.ben[2] = shown(3, { messageId: 'm2' });
    });
    expect(rules(verdicts)).toEqual(['message id']);
  });

  it('stored what nobody sent', () => {
    const verdicts = judged((run) => run.sent.pop());
    expect(rules(verdicts)).toEqual(['invented']);
  });

  it('took the ids 1 and "1" for the same', () => {
    const verdicts = judged((run) => (run.sent[0] = sent(1, { id: '1' })));
    expect(rules(verdicts)).toEqual(['invented', 'lost']);
  });

  it('showed a message twice', () => {
    expect(rules(judged((run) => run.ben.push(shown(2))))).toEqual(['shown twice']);
  });

  it("showed the sender's connection the feed's copy after its answer", () => {
    expect(rules(judged((run) => run.ann.push(shown(2))))).toEqual(['shown twice']);
  });

  it('showed messages out of order', () => {
    expect(rules(judged((run) => run.ben.reverse()))).toEqual(['order']);
  });

  it('did not repair a gap', () => {
    expect(rules(judged((run) => run.ben.splice(1, 1)))).toEqual(['missed']);
  });

  it('did not repair the end, which no later message reveals', () => {
    expect(rules(judged((run) => run.ben.pop()))).toEqual(['missed']);
  });

  it('showed a message to somebody who is no member', () => {
    expect(rules(judged((run) => run.eve.push(shown(1))))).toEqual(['stranger']);
  });

  it('kept an ex-member in the room', () => {
    const run = rightRun();
    const verdicts = judge({
      sent: run.sent,
      stored: new Map([[ROOM, run.stored]]),
      views: [view('ben', run.ben, { after: 0, upTo: 2, complete: true })],
    });
    expect(rules(verdicts)).toEqual(['stranger']);
  });

  it('showed a joiner what was before the join', () => {
    const run = rightRun();
    const verdicts = judge({
      sent: run.sent,
      stored: new Map([[ROOM, run.stored]]),
      views: [view('ben', run.ben, { after: 1, upTo: null, complete: true })],
    });
    expect(rules(verdicts)).toEqual(['stranger']);
  });

  it('delivered before the commit, which then failed', () => {
    const verdicts = judged((run) => run.ben.push(shown(4)));
    expect(rules(verdicts)).toEqual(['altered']);
  });

  it("showed one message's text under another's seq", () => {
    const verdicts = judged((run) => (run.ben[1] = shown(2, { content: 'message 3' })));
    expect(rules(verdicts)).toEqual(['altered']);
  });
});

it('names the first few of thousands', () => {
  const verdicts = judged((run) => {
    for (let i = 0; i < 5000; i++) run.eve.push(shown(1, { answer: true }));
  });
  expect(verdicts).toHaveLength(6);
  expect(verdicts.at(-1)).toBe('stranger: and 4995 more');
});
