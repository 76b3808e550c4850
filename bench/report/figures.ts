import type { Offered } from '../load/offer.js';
import type { MessagesCell } from './cells.js';

/** What a measurement of messages says, in the units of the tables. */
export interface Figures {
  readonly sendsPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** Of all processes of the variant, microseconds. */
  readonly cpuPerDelivery: number;
  /** Of those alone that clients connect to. */
  readonly socketCpuPerDelivery: number;
  readonly cpuPerSend: number;
  readonly ackP50: number;
  readonly ackP99: number;
  readonly deliveryP50: number;
  readonly deliveryP99: number;
  readonly latenessP99: number;
  readonly generatorCpuPerDelivery: number;
  /** Of one core: 1 means that the generator itself was the limit. */
  readonly generatorCores: number;
  /** Cores that processes used which have nothing to do with it. */
  readonly foreignCores: number;
}

export function figuresOf({ offered, endsSockets }: MessagesCell): Figures {
  const { acknowledged, countedMs, cpuMs, deliveries, generatorCpuMs } = offered;
  const all = sum(cpuMs);
  const atSockets = sum(cpuMs.filter((_, i) => endsSockets[i]));
  return {
    sendsPerSecond: (acknowledged / countedMs) * 1000,
    deliveriesPerSecond: (deliveries / countedMs) * 1000,
    cpuPerDelivery: (all * 1000) / deliveries,
    socketCpuPerDelivery: (atSockets * 1000) / deliveries,
    cpuPerSend: (all * 1000) / acknowledged,
    ackP50: offered.ackLatency.p50,
    ackP99: offered.ackLatency.p99,
    deliveryP50: offered.deliveryLatency.p50,
    deliveryP99: offered.deliveryLatency.p99,
    latenessP99: offered.lateness.p99,
    generatorCpuPerDelivery: (generatorCpuMs * 1000) / deliveries,
    generatorCores: generatorCpuMs / countedMs,
    foreignCores: foreignCoresOf(offered),
  };
}

export function foreignCoresOf({ machineCpuMs, cpuMs, generatorCpuMs, countedMs }: Offered): number {
  return Math.max(0, machineCpuMs - sum(cpuMs) - generatorCpuMs) / countedMs;
}

/** CPU microseconds for each acknowledged send, by what the processes are. */
export function cpuPerSendByRole({ offered, roles }: MessagesCell): Map<string, number> {
  const byRole = new Map<string, number>();
  roles.forEach((role, i) => {
    const micros = (offered.cpuMs[i]! * 1000) / offered.acknowledged;
    byRole.set(role, (byRole.get(role) ?? 0) + micros);
  });
  return byRole;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
