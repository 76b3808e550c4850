import { setTimeout as delay } from 'node:timers/promises';
import { metricAt } from '@starling/testing';
import type { Scenario } from '../run-scenario.js';
import { WITH_LINES } from './setups.js';

/** Longer than NATS clients take to notice that nobody answers. */
const SILENCE_MS = 6_000;

/**
 * A gateway hears nothing of NATS, and so of changes of memberships, while room events come: it must deliver none that
 * belongs to a change it does not know.
 */
export const gatewayBehind: Scenario = {
  name: 'NATS: a gateway hears nothing of it',
  setup: WITH_LINES,
  async disturb({ lines, cluster }) {
    const held = () => metricAt(`http://127.0.0.1:${cluster.gateways[0]!.port}`, 'starling_feed_held_total');
    const heldBefore = await held();
    const { nats } = lines.get('gateway 0')!;
    nats.silence('from the engine');
    try {
      await delay(SILENCE_MS);
    } finally {
      nats.resume();
    }
    const heldTimes = (await held()) - heldBefore;
    if (heldTimes === 0) throw new Error('no message had to wait for a change of memberships');
    return { heldTimes };
  },
};
