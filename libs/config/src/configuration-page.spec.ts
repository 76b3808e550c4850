import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from './configuration-page.js';
import { VARIABLES } from './variables.js';

it('docs/configuration.md is what the table says (npm run docs:configuration writes it)', () => {
  expect(readFileSync(join(__dirname, '../../../docs/configuration.md'), 'utf8')).toBe(configurationPage());
});

it('has a row for every variable', () => {
  const page = configurationPage();
  for (const name of Object.keys(VARIABLES)) expect(page).toContain(`\n| \`${name}\` `);
});
