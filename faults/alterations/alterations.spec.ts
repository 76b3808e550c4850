import { type Alteration, alterationStart, StartedProcess } from '@starling/testing';
import { DELIBERATE_BUGS } from '../deliberate-bugs.js';
import { CONDITIONS } from './conditions.js';
import { killedAt, POINTS, type PointName } from './killed-at.js';

const alterations: Alteration[] = [
  ...(Object.keys(POINTS) as PointName[]).map((point) => killedAt(point, 1)),
  ...DELIBERATE_BUGS.map(({ app, name, edits }) => ({
    name,
    edits: [...CONDITIONS[app], ...edits],
  })),
];

/** Cheap notice for who changes the product: else a run of minutes ends with it. */
describe('each alteration finds its places in the built product', () => {
  it.each(alterations)('$name', async (alteration) => {
    const { args, env } = alterationStart(alteration);
    const process = new StartedProcess('altered', [...args, '--eval', ''], env);
    await process.exited;
    expect(process.lines).toEqual([]);
    expect(process.exit).toEqual({ code: 0, signal: null });
  });
});
