import { metricAt } from '@starling/testing';
import type { Stage } from '../stage.js';

/** The sum of a metric's samples at all processes of an app. */
export async function metricOf({ cluster }: Stage, app: string, name: string): Promise<number> {
  const each = cluster.of(app).map(({ port }) => metricAt(`http://127.0.0.1:${port}`, name));
  return (await Promise.all(each)).reduce((sum, value) => sum + value, 0);
}
