import { VARIABLE_GROUPS, type Variable } from './variables.js';

const INTRODUCTION = `# Configuration

Starling is configured by environment variables alone. An empty variable counts as absent, an unknown one is ignored.
A value that is not accepted stops the start with one message that names every such variable; values themselves are
never shown.

This page is generated from the table in \`libs/config/src/variables.ts\` (\`npm run docs:configuration\`); a test
compares the two.

What a variable accepts may depend on others:

- \`AUTH_MODE=open\` on a \`HOST\` that is no loopback address needs \`AUTH_OPEN_ANYWHERE=true\`.
- \`AUTH_MODE=jwt\` needs exactly one of \`JWT_SECRET\`, \`JWT_PUBLIC_KEY\` and \`JWT_JWKS_URL\`; with \`AUTH_MODE=open\`
  none of them may be set.
- \`MAX_OUTBOUND_BYTES\` is at least twice \`MAX_PACKET_BYTES\`.
`;

/** The text of docs/configuration.md, laid out as the project's formatter would. */
export function configurationPage(): string {
  const sections = VARIABLE_GROUPS.map(
    ({ heading, variables }) => `## ${heading}\n\n${table(Object.entries(variables))}`,
  );
  return [INTRODUCTION, ...sections].join('\n');
}

function table(variables: [string, Variable][]): string {
  const rows = variables.map(([name, { fallback, about, accepts, example }]) => [
    code(name),
    fallback === '' ? 'empty' : code(fallback),
    about,
    accepts,
    code(example),
  ]);
  const head = ['Variable', 'Default', 'Meaning', 'Accepted values', 'Example'];
  const widths = head.map((title, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? title.length)),
  );
  const line = (cells: string[], fill = ' ') =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(' | ')} |\n`;
  return [
    line(head),
    line(
      head.map(() => ''),
      '-',
    ),
    ...rows.map((row) => line(row)),
  ].join('');
}

function code(text: string): string {
  return `\`${text}\``;
}
