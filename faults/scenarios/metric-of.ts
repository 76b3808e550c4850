import type { Stage } from '../stage.js';

/** The sum of a metric's samples at all processes of an app. */
export async function metricOf({ cluster }: Stage, app: string, name: string): Promise<number> {
  const pages = await Promise.all(
    cluster.of(app).map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
  );
  const samples = pages
    .flatMap((page) => page.split('\n'))
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
