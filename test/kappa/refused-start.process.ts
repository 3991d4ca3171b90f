import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KappaModule, type KappaOptions } from 'nest-kappa';

/** An application as `nest new` writes it, with options that the test gives. */
@Module({ imports: [KappaModule.forRoot(JSON.parse(process.env['OPTIONS'] ?? '{}') as KappaOptions)] })
class AppModule {}

async function bootstrap(): Promise<void> {
  const app = await NestFactory.create(AppModule);
  await app.listen(0);
}
await bootstrap();
