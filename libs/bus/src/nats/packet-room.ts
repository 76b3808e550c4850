import { ConfigurationError, type Config } from '@starling/config';
import type { BusConnection } from './nats-connection.js';

/** What NATS takes by default, and what pages of messages between services are made for. */
const SMALLEST_PAYLOAD = 1 << 20;
/**
 * A submit holds the content twice, once within a text that escapes it again. What grows most is an unpaired surrogate:
 * three bytes of a byte frame become six and seven.
 */
const GROWTH = 13 / 3;
const OTHER_FIELDS = 16 << 10;

/** @throws ConfigurationError when the server would take some packets of MAX_PACKET_BYTES only to drop them */
export async function refuseLittleRoom(connection: BusConnection, config: Config): Promise<void> {
  const { MAX_PACKET_BYTES } = config;
  const needed = Math.max(SMALLEST_PAYLOAD, Math.ceil(GROWTH * MAX_PACKET_BYTES) + OTHER_FIELDS);
  const given = connection.maxPayload;
  if (given >= needed) return;
  await connection.close();
  const remedy = `raise it in the configuration of NATS_URL's server or lower MAX_PACKET_BYTES`;
  throw new ConfigurationError([
    {
      variable: 'MAX_PACKET_BYTES',
      problem: `of ${MAX_PACKET_BYTES} needs a max_payload of ${needed} in NATS, which has ${given}: ${remedy}`,
    },
  ]);
}
