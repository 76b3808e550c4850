import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { StartedProcess } from '../process/started-process.js';
import { alterationStart, type Edit } from './alteration.js';

const file = 'libs/protocol/src/ciphers/none.js';

/** What the process said that printed the altered module's export. */
async function run(...edits: Edit[]): Promise<StartedProcess> {
  const { args, env } = alterationStart({ name: 'an alteration', edits });
  const url = pathToFileURL(resolve('dist', file)).href;
  const script = `const { noCipher } = await import('${url}'); console.log(noCipher.text);`;
  const process = new StartedProcess('altered', [...args, '--input-type=module', '-e', script], env);
  await process.exited;
  return process;
}

describe('an altered process', () => {
  it('runs the module as altered, by each of the edits in turn', async () => {
    const { lines, exit } = await run(
      { file, find: `'cesu-8'`, replace: `'another'` },
      { file, find: `'another'`, replace: `'altered $&'` },
    );
    expect(lines).toEqual(['altered $&']);
    expect(exit).toEqual({ code: 0, signal: null });
  });

  it.each(['not to be found', 'e'])('does not start when an edit has no one place: %j', async (find) => {
    const { lines, exit } = await run({ file, find, replace: '' });
    expect(lines.join('\n')).toMatch(/an alteration: .*none\.js has \d+ times, not once/);
    expect(exit).toEqual({ code: 1, signal: null });
  });
});
