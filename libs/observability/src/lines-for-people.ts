import type { DestinationStream } from 'pino';
import { prettyFactory } from 'pino-pretty';

/** Turns pino's JSON lines into lines for a terminal. Text in them cannot start a line or reach the terminal's controls. */
export function linesForPeople(output: DestinationStream, colorize: boolean): DestinationStream {
  const format = prettyFactory({
    colorize,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
  });
  return { write: (line) => output.write(format(escaped(JSON.parse(line)))) };
}

/** The values with control characters spelled out. Stacks keep their lines: they are printed indented. */
function escaped(value: unknown, key = ''): unknown {
  if (typeof value === 'string')
    return value.replace(key === 'stack' ? CONTROLS_BUT_NEWLINE : CONTROLS, spelled);
  if (Array.isArray(value)) return value.map((item) => escaped(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name.replace(CONTROLS, spelled), escaped(item, name)]),
  );
}

// Also DEL and C1 (terminals take U+009B for an escape sequence), line separators, and marks that turn text around.
const CONTROLS = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
const CONTROLS_BUT_NEWLINE = /(?!\n)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

function spelled(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
