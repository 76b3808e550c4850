import { pino } from 'pino';
import { OutageLog } from './outage-log.js';

it('writes one line for each outage and one for its end', () => {
  const lines: string[] = [];
  const logger = pino(
    {},
    { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
  );
  const outage = new OutageLog(logger, 'away', 'back');
  outage.worked();
  expect(lines).toEqual([]);
  for (const _ of [1, 2]) {
    for (const reason of ['refused', 'refused', 'late']) outage.failed(new Error(reason));
    outage.worked();
    outage.worked();
  }
  expect(lines).toEqual(['away', 'back', 'away', 'back']);
});
