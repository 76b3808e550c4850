import {
  LARGE_20K,
  LARGE_SATURATED,
  type Point,
  SMALL_1000,
  SMALL_20K,
  SMALL_SATURATED,
} from '../work/points.js';
import type { MessagesCell } from './cells.js';
import { type Figures, figuresOf, median } from './figures.js';

/** What a figure of one variant is to be, by itself or as a multiple of another variant's in the same round. */
interface Goal {
  readonly what: string;
  readonly point: Point;
  readonly variant: string;
  readonly against: string | null;
  readonly figure: keyof Figures;
  readonly most?: number;
  readonly least?: number;
}

const GOALS: readonly Goal[] = [
  {
    what: 'CPU per delivery of (d), as a multiple of (a)',
    point: LARGE_20K,
    variant: 'd',
    against: 'a',
    figure: 'cpuPerDelivery',
    most: 1,
  },
  {
    what: 'CPU per delivery of (d), as a multiple of (a)',
    point: SMALL_20K,
    variant: 'd',
    against: 'a',
    figure: 'cpuPerDelivery',
    most: 1.5,
  },
  {
    what: 'CPU per delivery of (d), as a multiple of (a)',
    point: LARGE_SATURATED,
    variant: 'd',
    against: 'a',
    figure: 'cpuPerDelivery',
    most: 0.3,
  },
  {
    what: 'CPU per delivery of (d), as a multiple of (a)',
    point: SMALL_SATURATED,
    variant: 'd',
    against: 'a',
    figure: 'cpuPerDelivery',
    most: 0.3,
  },
  ...[LARGE_20K, SMALL_20K].flatMap((point): Goal[] => [
    {
      what: 'CPU per delivery of (e), engines included, as a multiple of (c)',
      point,
      variant: 'e',
      against: 'c',
      figure: 'cpuPerDelivery',
      most: 0.8,
    },
    {
      what: 'the same of the gateways alone, as a multiple of the pods of (c)',
      point,
      variant: 'e',
      against: 'c',
      figure: 'socketCpuPerDelivery',
      most: 0.8,
    },
    {
      what: 'p99 of deliveries of (e), as a multiple of (c)',
      point,
      variant: 'e',
      against: 'c',
      figure: 'deliveryP99',
      most: 2,
    },
  ]),
  ...['d', 'e'].flatMap((variant): Goal[] => [
    {
      what: `p99 of the acknowledgement of (${variant}), ms`,
      point: SMALL_1000,
      variant,
      against: null,
      figure: 'ackP99',
      most: 10,
    },
    {
      what: `acknowledged sends a second of (${variant})`,
      point: SMALL_SATURATED,
      variant,
      against: null,
      figure: 'sendsPerSecond',
      least: 5000,
    },
  ]),
];

/** How a goal stands after the rounds that were measured. */
export interface Standing {
  readonly what: string;
  readonly where: string;
  readonly goal: string;
  /** The median of the rounds, and the lowest and highest. */
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly met: boolean;
}

/** Ratios are taken round by round, since what else the machine does differs from one to the next. */
export function standings(cells: readonly MessagesCell[]): Standing[] {
  const find = (point: Point, variant: string): MessagesCell[] =>
    cells.filter((cell) => cell.point === point.name && cell.variant === variant);
  return GOALS.flatMap(({ what, point, variant, against, figure, most, least }) => {
    const values = find(point, variant).flatMap((cell) => {
      const value = figuresOf(cell)[figure];
      if (against === null) return [value];
      const other = find(point, against).find(({ round }) => round === cell.round);
      return other === undefined ? [] : [value / figuresOf(other)[figure]];
    });
    if (values.length === 0) return [];
    const middle = median(values);
    return [
      {
        what,
        where: point.name,
        goal: least === undefined ? `≤ ${most}` : `≥ ${least}`,
        median: middle,
        lowest: Math.min(...values),
        highest: Math.max(...values),
        met: middle <= (most ?? Infinity) && middle >= (least ?? 0),
      },
    ];
  });
}
