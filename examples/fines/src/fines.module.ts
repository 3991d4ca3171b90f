import { Module } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { definitions } from './definitions.js';
import { FinesImport } from './fines-import.js';

@Module({ imports: [KappaModule.forFeature(definitions)], providers: [FinesImport], exports: [FinesImport] })
export class FinesModule {}
