import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { FinesModule } from './fines.module.js';
import { optionsFor } from './options.js';

const FINES = fileURLToPath(new URL('../..', import.meta.url));

@Module({ imports: [KappaModule.forRoot(optionsFor(FINES)), FinesModule] })
export class AppModule {}
