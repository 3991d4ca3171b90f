import { fileURLToPath } from 'node:url';
import { defineKappaConfig } from 'nest-kappa';
import { definitions } from './src/definitions.js';
import { shopFolder } from './src/folders.js';
import { optionsFor } from './src/options.js';

const SHOP = shopFolder(fileURLToPath(new URL('.', import.meta.url)));

export default defineKappaConfig({ options: optionsFor(SHOP), ...definitions });
