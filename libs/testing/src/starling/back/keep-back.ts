import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { ClusterInstallation, stopWhatThisFileShares } from '../cluster-installation.js';
import { errorsOf, type KeptBack } from './back-of-worker.js';

/**
 * Run by `backOfWorker` with the name of a file: starts a cluster without gateways, writes to the file where it is, and
 * stops it when standard input ends, or when something of it has ended, so that the next test file gets another.
 */
const place = process.argv[2]!;
const cluster = new ClusterInstallation({}, { gateways: 0 });
const isOver = new Promise<void>((resolve) => process.stdin.resume().once('close', resolve));

await cluster.start({});
const hasEnded = Promise.race(cluster.processes.map(({ exited }) => exited));
writeFileSync(`${place}.new`, JSON.stringify({ ...cluster.back, keeper: process.pid } satisfies KeptBack));
renameSync(`${place}.new`, place);

await Promise.race([isOver, hasEnded]);
const ended = cluster.processes.find(({ exit }) => exit !== null);
if (ended) process.stderr.write(`${ended.error('has ended').message}\n`);
rmSync(place, { force: true });
await cluster.end('SIGTERM');
await cluster.dispose();
await stopWhatThisFileShares();
if (!ended) rmSync(errorsOf(place), { force: true });
