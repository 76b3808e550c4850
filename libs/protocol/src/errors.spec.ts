import { readFileSync } from 'node:fs';
import { CloseReason } from './close-reasons.js';
import { ErrorCode } from './errors.js';

const documented = readFileSync(`${__dirname}/../../../docs/errors.md`, 'utf8')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter((cells) => /^\d+$/.test(cells[1] ?? ''))
  .map(([, number, name, ...cells]) => ({
    number: Number(number),
    name: name?.replaceAll('`', ''),
    cells: cells.slice(0, -1),
  }));

const inCode = [
  ...Object.entries(ErrorCode).map(([name, { code, action }]) => ({ number: code, name, says: action })),
  ...Object.entries(CloseReason).map(([name, { code, reconnect }]) => ({
    number: code,
    name,
    says: reconnect,
  })),
];

describe('docs/errors.md', () => {
  it('has every code and close reason, and no other', () => {
    const rows = (list: { number: number; name?: string }[]) =>
      list.map(({ number, name }) => `${number} ${name}`);
    expect(rows(documented)).toEqual(rows(inCode));
  });

  it('says of each what the code says: the action, or whether to come back', () => {
    expect(documented.map(({ name, cells }) => [name, cells[0]])).toEqual(
      inCode.map(({ name, says }) => [name, `\`${says}\``]),
    );
  });

  it('says of each the cause and what to do', () => {
    for (const { cells } of documented) {
      expect(cells).toHaveLength(3);
      for (const cell of cells) expect(cell).not.toBe('');
    }
  });
});

it('gives each number and name once', () => {
  const codes = Object.values(ErrorCode).map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  const closing = Object.values(CloseReason).map(({ code }) => code);
  expect(new Set(closing).size).toBe(closing.length);
});
