import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { useStarling } from '@starling/testing';

const run = promisify(execFile);

describe('what the README shows', () => {
  const starling = useStarling();
  const readme = readFileSync('README.md', 'utf8');

  const outputOf = async (example: string): Promise<string> => {
    const env = { ...process.env, STARLING_URL: starling.url, STARLING_WS_URL: starling.bytesUrl };
    const { stdout } = await run(process.execPath, [`examples/${example}.mjs`], { env, timeout: 20_000 });
    return stdout;
  };

  it.each(['socket-io-client', 'byte-frame-client'])(
    'has the code of examples/%s.mjs to the letter',
    (name) => {
      const code = readFileSync(`examples/${name}.mjs`, 'utf8');
      expect(readme).toContain(`<!-- examples/${name}.mjs -->\n\n\`\`\`js\n${code}\`\`\``);
    },
  );

  it('shows what the Socket.IO client prints', async () => {
    expect(readme).toContain((await outputOf('socket-io-client')).trim());
  });

  it('has a byte-frame client that logs in and is acknowledged', async () => {
    const output = await outputOf('byte-frame-client');
    expect(output).toMatch(/command: 2,\s+success: true/);
    expect(output).toMatch(/command: 4,[^]*seq: 1,/);
  });

  it('links only to pages that exist', () => {
    for (const [, target] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
      expect(() => readFileSync(target!)).not.toThrow();
    }
  });
});
