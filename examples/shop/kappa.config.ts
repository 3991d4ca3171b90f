import { fileURLToPath } from 'node:url';
import { defineKappaConfig } from 'nest-kappa';
import { definitions } from './src/definitions.js';
import { optionsFor } from './src/options.js';

export default defineKappaConfig({ options: optionsFor(fileURLToPath(new URL('.', import.meta.url))), ...definitions });
