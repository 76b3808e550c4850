import { writeFileSync } from 'node:fs';
import { configurationPage } from './configuration-page.js';

/** `npm run docs:configuration`, from the project's root. */
writeFileSync('docs/configuration.md', configurationPage());
