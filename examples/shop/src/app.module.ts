import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { optionsFor } from './options.js';
import { ShopModule } from './shop.module.js';

const DATA_DIR = fileURLToPath(new URL('../../.kappa', import.meta.url));

@Module({ imports: [KappaModule.forRoot(optionsFor(DATA_DIR)), ShopModule] })
export class AppModule {}
