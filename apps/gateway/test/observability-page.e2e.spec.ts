import { readFileSync } from 'node:fs';
import { useStarling } from '@starling/testing';

const page = readFileSync('docs/observability.md', 'utf8');

/** The cells of a table's rows, without the line that names the columns and the one below. */
function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]!.split('\n## ')[0]!;
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) => row.split('|').map((cell) => cell.trim().replaceAll('`', '')));
}

/** By `process` as the page says it: `all`, one, or several; some only in a cluster. */
function isOf(app: string, processes: string): boolean {
  if (app === 'standalone') return !processes.includes('cluster only');
  return processes === 'all' || processes.replace(' (cluster only)', '').split(', ').includes(app);
}

const starling = useStarling({ cluster: { gateways: 1 } });

function processes(): { app: string; url: string }[] {
  if (starling.profile === 'embedded') return [{ app: 'standalone', url: starling.url }];
  return starling.cluster.services.map(({ app, port }) => ({ app, url: `http://127.0.0.1:${port}` }));
}

describe('docs/observability.md says of each process', () => {
  it('which metrics it has', async () => {
    for (const { app, url } of processes()) {
      const shown = await (await fetch(`${url}/metrics`)).text();
      const metrics = [...shown.matchAll(/^# TYPE (starling_\w+) /gm)].map(([, name]) => name);
      const documented = rowsBelow('Metrics').filter(([, , , , process]) => isOf(app, process!));
      expect([app, metrics.sort()]).toEqual([app, documented.map(([, name]) => name).sort()]);
    }
  });

  it('what its readiness checks', async () => {
    for (const { app, url } of processes()) {
      const { checks } = (await (await fetch(`${url}/readyz`)).json()) as { checks: object };
      const documented = rowsBelow('Readiness').filter(([, process]) => process!.split(', ').includes(app));
      expect([app, Object.keys(checks).sort()]).toEqual([app, documented.map(([, , check]) => check).sort()]);
    }
  });
});
