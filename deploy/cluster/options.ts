import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Failure } from './failure.js';

export const USAGE = `npm run start:cluster -- [options]

Starts Starling as a cluster on this machine: every service as its own process, over NATS, Redis and MongoDB. The
gateways listen on PORT (3000 by default), PORT+1 and so on. What dies is started again. Ctrl-C stops everything in
order.

  --gateways N        2 by default
  --stores N          message-stores, 2 by default
  --presences N       1 by default
  --groups N          1 by default
  --data-dir FOLDER   of the engines started here, data/cluster by default

Engines are those of NATS_URL, REDIS_URL and MONGODB_URL; what is not named there is started here, and installed for
this user when the machine has none. All variables of docs/configuration.md reach every process.
`;

export interface Options {
  /** How many of each service; the gateways have the ports from `firstPort` on. */
  readonly gateways: number;
  readonly stores: number;
  readonly presences: number;
  readonly groups: number;
  readonly firstPort: number;
  readonly dataDir: string;
}

/** Of the command line and of PORT; null when only help is wanted. */
export function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      gateways: { type: 'string', default: '2' },
      stores: { type: 'string', default: '2' },
      presences: { type: 'string', default: '1' },
      groups: { type: 'string', default: '1' },
      'data-dir': { type: 'string', default: 'data/cluster' },
    },
  });
  if (values.help) return null;
  const gateways = count('gateways', values.gateways);
  return {
    gateways,
    stores: count('stores', values.stores),
    presences: count('presences', values.presences),
    groups: count('groups', values.groups),
    firstPort: firstOf(gateways, process.env['PORT']),
    dataDir: resolve(values['data-dir']),
  };
}

function count(option: string, text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 100) return number;
  throw new Failure(`--${option} must be a number from 1 to 100, not ${text}`);
}

function firstOf(gateways: number, text: string | undefined): number {
  const port = Number(text || '3000');
  if (Number.isInteger(port) && port >= 1 && port + gateways <= 65_536) return port;
  throw new Failure(`PORT must be a port of its own for each gateway, not ${text}`);
}
