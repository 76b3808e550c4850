import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../../..');

/** Without what differs from one time to the next, and in one piece where the code has it in several. */
function plain(text: string): string {
  return text.replace(/['`] \+\s*['`]/g, '').replace(/\$\{[^}]*\}/g, '…');
}

const sources = ['apps', 'libs']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\/src\/.*\.ts$/.test(file) && !/\.spec\.ts$|^testing\//.test(file))
      .map((file) => readFileSync(join(ROOT, folder, file), 'utf8')),
  )
  .map(plain);

const documented = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
  .split('\n## Refusals at start\n')[1]!
  .split('\n')
  .flatMap((line) => /^\| `([^`]+)` /.exec(line)?.[1] ?? []);

/** Whether the text holds all the quoted pieces between `…`. */
function isQuoted(message: string, text: string): boolean {
  return message.split('…').every((piece) => text.includes(piece.trim()));
}

/** What processes refuse their start with; of some the words stand elsewhere. */
const refusals = sources.flatMap((source) =>
  [
    ...source.matchAll(/new StorageStartError\(([^]*?)\);\n/g),
    ...source.matchAll(/logger\.fatal\(('[^]*?')\)/g),
  ].map(([, text]) => text!),
);

describe('the refusals at start of docs/errors.md', () => {
  it('are in the code, as they are quoted', () => {
    expect(documented.filter((message) => !sources.some((source) => isQuoted(message, source)))).toEqual([]);
    expect(documented.length).toBeGreaterThan(10);
  });

  it('are all that the code has words for', () => {
    const worded = refusals.filter((text) => /['`]/.test(text));
    expect(worded.length).toBeGreaterThan(10);
    expect(worded.filter((text) => !documented.some((message) => isQuoted(message, text)))).toEqual([]);
  });
});
