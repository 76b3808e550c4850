import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Alteration, alterationStart } from '../alterations/alteration.js';
import { type LogLine, StartedProcess } from '../process/started-process.js';
import { until } from '../process/until.js';

export type Profile = 'embedded' | 'cluster';

type Environment = Readonly<Record<string, string>>;

/** The processes that make up one Starling, in one of the profiles. */
export interface Installation {
  /** Those that run, or ran last, gateways first. */
  readonly processes: readonly StartedProcess[];
  /** Those of `processes` that clients connect to. */
  readonly gateways: readonly Service[];
  /** Starts all processes, again on the same data when they ran before; resolves when all are ready. */
  start(env: Environment): Promise<void>;
  /** Starts what clients connect to, once more, without waiting for anything. */
  spawn(env: Environment): StartedProcess;
  /** Ends all processes by the signal, gateways before what they need. The data stays. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Removes what was made for it, once the processes have ended. */
  dispose(): Promise<void>;
}

const START_PATIENCE_MS = 60_000;

/** A process of Starling that is ready. */
export interface Service {
  readonly app: string;
  readonly process: StartedProcess;
  readonly port: number;
}

export function spawnApp(app: string, env: Environment, alteration?: Alteration): StartedProcess {
  const main = resolve(`dist/apps/${app}/src/main.js`);
  if (!existsSync(main)) throw new Error(`${main} does not exist: run "npm run build" first`);
  const altered = alterationStart(alteration);
  return new StartedProcess(app, ['--enable-source-maps', ...altered.args, main], {
    HOST: '127.0.0.1',
    PORT: '0',
    LOG_FORMAT: 'json',
    // Starting costs most of what a short test costs.
    NODE_COMPILE_CACHE: join(tmpdir(), 'starling-test-compiled'),
    ...env,
    ...altered.env,
  });
}

export async function ready(app: string, process: StartedProcess): Promise<Service> {
  const isReady = ({ msg }: LogLine) => msg === 'ready';
  const line = await process.waitForLog('that it is ready', isReady, START_PATIENCE_MS);
  const port = Number(line['port']);
  let last = '';
  const answersReady = async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      last = await response.text();
      return response.ok;
    } catch (error) {
      // A busy machine may not even take the connection in time.
      last = String((error as Error).cause ?? error);
      return false;
    }
  };
  await until(`/readyz of ${app}`, answersReady, START_PATIENCE_MS).catch((error: Error) => {
    throw process.error(`${error.message}, which last said ${last}`);
  });
  return { app, process, port };
}
