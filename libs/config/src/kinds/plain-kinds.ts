import { z } from 'zod';
import { kind, Misfit } from './kind.js';

export const text = kind('text', (value) => value);

export const yesOrNo = kind('`true` or `false`', (value) => {
  if (value !== 'true' && value !== 'false') throw new Misfit('must be true or false');
  return value === 'true';
});

export function oneOf<const Values extends readonly string[]>(...values: Values) {
  return {
    schema: z.enum(values, { error: `must be one of ${values.join(', ')}` }),
    accepts: values.map((value) => `\`${value}\``).join(', '),
  };
}

export function whole(min: number, max: number) {
  return kind(`whole number, ${min} to ${max}`, (value) => {
    if (!/^\d{1,15}$/.test(value) || Number(value) < min || Number(value) > max) {
      throw new Misfit(`must be a whole number from ${min} to ${max}`);
    }
    return Number(value);
  });
}

export const share = kind('number, 0 to 1', (value) => {
  if (!/^\d(\.\d{1,9})?$/.test(value) || Number(value) > 1) throw new Misfit('must be a number from 0 to 1');
  return Number(value);
});

export const namePart = kind('1 to 64 letters, digits and `-` `_` `.`', (value) => {
  if (!/^[\w.-]{1,64}$/.test(value)) throw new Misfit('must be 1 to 64 letters, digits and - _ .');
  return value;
});

/** Paths that something else answers on the same port. */
const TAKEN_PATHS = /^\/(socket\.io|healthz|readyz|metrics)(\/|$)/;

export const webSocketPath = kind('path beginning with `/`', (value) => {
  if (!/^\/[\w\-./]*$/.test(value))
    throw new Misfit('must be a path that begins with /, of letters, digits and - _ . /');
  if (TAKEN_PATHS.test(value))
    throw new Misfit('must not be a path that is taken: /socket.io, /healthz, /readyz, /metrics');
  return value;
});
