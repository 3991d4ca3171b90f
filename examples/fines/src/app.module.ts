import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { FinesModule } from './fines.module.js';
import { optionsFor } from './options.js';

const DATA_DIR = fileURLToPath(new URL('../../.kappa', import.meta.url));

@Module({ imports: [KappaModule.forRoot(optionsFor(DATA_DIR)), FinesModule] })
export class AppModule {}
