import { isLoopback } from './kinds/network-kinds.js';
import type { Config, VariableName } from './variables.js';

export interface ConfigurationProblem {
  readonly variable: VariableName;
  /** Never repeats the value: it may be a secret, or one in the wrong place. */
  readonly problem: string;
}

/**
 * Breaches of rules between variables. A variable that could not be read is missing from `config`; rules that
 * need it say nothing then, as its own problem comes first.
 */
export function rulesBrokenBy(config: Partial<Config>): ConfigurationProblem[] {
  return [...openMode(config), ...tokenKeys(config), ...room(config)];
}

/** Whoever reaches an open gateway can be anybody, so beyond this machine it takes a second switch. */
function openMode({ AUTH_MODE, HOST, AUTH_OPEN_ANYWHERE }: Partial<Config>): ConfigurationProblem[] {
  if (AUTH_MODE !== 'open' || HOST === undefined || isLoopback(HOST) || AUTH_OPEN_ANYWHERE !== false)
    return [];
  return [
    {
      variable: 'AUTH_OPEN_ANYWHERE',
      problem: 'must be true for AUTH_MODE=open on a HOST that is no loopback address; or use AUTH_MODE=jwt',
    },
  ];
}

const KEYS = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const satisfies VariableName[];

function tokenKeys(config: Partial<Config>): ConfigurationProblem[] {
  if (config.AUTH_MODE === undefined || KEYS.some((name) => config[name] === undefined)) return [];
  const given = KEYS.filter((name) => config[name] !== '');
  if (config.AUTH_MODE === 'jwt') {
    if (given.length === 1) return [];
    const found = given.length === 0 ? 'none is set' : `${given.join(' and ')} are set`;
    return [
      {
        variable: 'AUTH_MODE',
        problem: `needs exactly one of ${KEYS.join(', ')} when it is jwt, and ${found}`,
      },
    ];
  }
  // Keys without jwt mode are a mistake that would leave the gateway open.
  if (given.length === 0) return [];
  return [{ variable: 'AUTH_MODE', problem: `must be jwt when ${given.join(' and ')} is set` }];
}

/** A reader must be able to fall behind by one packet; bodies grow by up to the half when they are encoded. */
function room({ MAX_OUTBOUND_BYTES, MAX_PACKET_BYTES }: Partial<Config>): ConfigurationProblem[] {
  if (MAX_OUTBOUND_BYTES === undefined || MAX_PACKET_BYTES === undefined) return [];
  if (MAX_OUTBOUND_BYTES >= 2 * MAX_PACKET_BYTES) return [];
  return [{ variable: 'MAX_OUTBOUND_BYTES', problem: 'must be at least twice MAX_PACKET_BYTES' }];
}
