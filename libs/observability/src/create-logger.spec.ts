import { createLogger } from './create-logger.js';

class Output {
  text = '';
  constructor(readonly isTTY = false) {}
  write(text: string): void {
    this.text += text;
  }
  get lines(): string[] {
    return this.text.split('\n').filter((line) => line !== '');
  }
}

/** What users may send to make a line of their own, or to reach the reader's terminal. */
const HOSTILE = [
  '\n{"level":"info","msg":"forged"}\n',
  '\r\n[12:00:00.000] INFO: forged',
  '\u001b[2J\u001b[1;1Hforged',
  '\u009b2Jforged',
  '\u2028forged',
  '\u2029forged',
  '\u0000forged',
  '\u0085forged',
  '\u202egro.evil//:sptth',
  '\ud800 forged',
  '"},"level":"fatal","x":{"y":"',
];

describe('JSON lines', () => {
  const config = { LOG_LEVEL: 'info', LOG_FORMAT: 'json' } as const;

  it('have level, time and message', () => {
    const output = new Output(true);
    createLogger(config, output).info({ userId: 'alice' }, 'bound');
    expect(JSON.parse(output.text)).toMatchObject({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      userId: 'alice',
      msg: 'bound',
    });
  });

  it.each(HOSTILE)('stay one line each whatever they carry: %j', (text) => {
    const output = new Output();
    const logger = createLogger(config, output);
    logger.info({ userId: text, [text]: 1, list: [text], err: new Error(text) }, 'refused');
    logger.info(text);
    expect(output.lines).toHaveLength(2);
    expect(output.lines.map((line) => JSON.parse(line).level)).toEqual(['info', 'info']);
  });

  it('leave out what is below the level', () => {
    const output = new Output();
    createLogger(config, output).debug('quiet');
    expect(output.text).toBe('');
  });
});

describe('lines for people', () => {
  const config = { LOG_LEVEL: 'info', LOG_FORMAT: 'pretty' } as const;

  it('are short, and coloured only in a terminal', () => {
    const [file, terminal] = [new Output(), new Output(true)];
    for (const output of [file, terminal]) createLogger(config, output).info({ port: 3000 }, 'listening');
    expect(file.text).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: listening \{"port":3000\}\n$/);
    expect(terminal.text).toContain('\u001b[32mINFO\u001b[39m');
  });

  it.each(HOSTILE)('cannot be forged and do not reach the terminal: %j', (text) => {
    const output = new Output();
    const logger = createLogger(config, output);
    logger.info({ userId: text, [text]: 1, deep: { list: [text] } }, 'refused');
    logger.info(text);
    logger.info({ context: text, pid: text, name: text, level: text, time: text });
    expect(output.lines).toHaveLength(3);
    for (const line of output.lines) expect(line).toMatch(/^\[.*\] [A-Z]+.*:/);
    expect(output.text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
  });

  it.each(HOSTILE)('indent the stack of an error, so that its text cannot pass for a line: %j', (text) => {
    const output = new Output();
    const error = new Error(text, { cause: new Error(text) });
    Object.assign(error, { detail: text, stack: `${error.stack}\n${text}` });
    const logger = createLogger(config, output);
    logger.error({ err: error }, 'failed');
    logger.error(error);
    expect(output.lines.filter((line) => !/^\s/.test(line) && !/^[}\]]/.test(line))).toHaveLength(2);
    expect(output.text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
  });
});

describe('LOG_FORMAT=auto', () => {
  it('is for people in a terminal and JSON elsewhere', () => {
    const [file, terminal] = [new Output(), new Output(true)];
    for (const output of [file, terminal])
      createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'auto' }, output).info('x');
    expect(JSON.parse(file.text).msg).toBe('x');
    expect(() => JSON.parse(terminal.text)).toThrow();
  });
});

describe.each(['json', 'pretty'] as const)('secrets are not shown (%s)', (LOG_FORMAT) => {
  const secret = 'ey.secret.token';

  class Connection {
    readonly id = 'c1';
    readonly handshake = { token: secret };
  }
  const circular: Record<string, unknown> = { token: secret };
  circular.self = circular;

  it.each<[string, Record<string, unknown>]>([
    ['at the top', { token: secret }],
    ['in capitals', { headers: { Authorization: secret, Cookie: secret } }],
    ['deep', { a: { b: { c: { d: { token: secret } } } } }],
    ['deeper than is shown', { a: { b: { c: { d: { e: { f: { g: { token: secret } } } } } } } }],
    ['in lists', { sessions: [{ token: secret }, [{ password: secret }]] }],
    ['in the configuration', { config: { JWT_SECRET: secret, CIPHER_KEYS: [{ id: 'k1', key: secret }] } }],
    ['in instances', { connection: new Connection() }],
    [
      'in errors',
      { err: Object.assign(new Error('x'), { request: { headers: { authorization: secret } } }) },
    ],
    ['in circles', circular],
  ])('%s', (_, fields) => {
    const output = new Output();
    const logger = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT }, output);
    const before = JSON.stringify(fields.err ?? fields.a ?? 0);
    logger.info(fields, 'x');
    logger.child({}).child(fields).info('x');
    expect(output.lines.length).toBeGreaterThanOrEqual(2);
    expect(output.text).not.toContain(secret);
    expect(JSON.stringify(fields.err ?? fields.a ?? 0)).toBe(before);
  });

  it('and everything else is', () => {
    const output = new Output();
    createLogger({ LOG_LEVEL: 'info', LOG_FORMAT }, output).info(
      { tokens: 3, list: [1, { a: null }], at: new Date(0) },
      'x',
    );
    expect(output.text).toContain('"tokens":3,"list":[1,{"a":null}],"at":"1970-01-01T00:00:00.000Z"');
  });
});

it('is usable within one logger and its children', () => {
  const output = new Output();
  createLogger({ LOG_LEVEL: 'warn', LOG_FORMAT: 'json' }, output).child({ part: 'feed' }).warn('x');
  expect(JSON.parse(output.text)).toMatchObject({ part: 'feed', msg: 'x' });
});

it('shows a thrown value that is no error as it is', () => {
  const output = new Output();
  createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, output).error({ err: 'a text' }, 'x');
  expect(JSON.parse(output.text).err).toBe('a text');
});
