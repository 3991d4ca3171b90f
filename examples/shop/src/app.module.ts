import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { shopFolder } from './folders.js';
import { optionsFor } from './options.js';
import { ShopModule } from './shop.module.js';

const SHOP = shopFolder(fileURLToPath(new URL('../..', import.meta.url)));

@Module({ imports: [KappaModule.forRoot(optionsFor(SHOP)), ShopModule] })
export class AppModule {}
