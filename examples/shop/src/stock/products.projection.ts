import { projection } from 'nest-kappa';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { ProductListed, stock, StockReceived, StockTaken } from './product.js';

@Entity({ name: 'products', synchronize: false })
export class ProductRow {
  @PrimaryColumn('text') sku!: string;
  @Column('text') name!: string;
  @Column('int') cents!: number;
  @Column('int', { name: 'in_stock' }) inStock!: number;
}

export const Products = projection({ name: 'products', version: 1, from: [stock], table: ProductRow });

export const productsV1 = Products.on(ProductListed, (row, event) => ({
  sku: event.stream.id,
  name: event.data.name,
  cents: event.data.cents,
  inStock: row?.inStock ?? 0,
}))
  .on(StockReceived, (row, event) => row && { ...row, inStock: row.inStock + event.data.quantity })
  .on(StockTaken, (row, event) => row && { ...row, inStock: row.inStock - event.data.quantity });
