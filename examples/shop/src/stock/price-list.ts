import { Injectable } from '@nestjs/common';
import { InjectReader, Reader, refuse } from 'nest-kappa';
import { Products, type ProductRow } from './products.projection.js';

/** What a product costs now, read from the projection; a command's `prepare` asks it before it decides. */
@Injectable()
export class PriceList {
  constructor(@InjectReader(Products) private readonly products: Reader<ProductRow>) {}

  async of(sku: string): Promise<number> {
    const product = await this.products.get(sku);
    return product ? product.cents : refuse('product.unknown', { sku });
  }
}
