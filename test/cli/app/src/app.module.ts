import { forwardRef, Injectable, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { KappaModule } from 'nest-kappa';
import { fine } from './fines.js';
import { finesV1, PaymentsPerFineV1 } from './projections.js';

/** Stands for crons, consumers and servers: must never be made by a command. */
@Injectable()
export class Starter implements OnModuleInit {
  constructor() {
    throw new Error('a provider of the application was instantiated');
  }

  onModuleInit(): void {
    throw new Error('a provider of the application was started');
  }
}

@Module({})
export class PaymentsModule {
  static register(): Promise<DynamicModule> {
    return Promise.resolve({ module: PaymentsModule, imports: [KappaModule.forFeature({ projections: [PaymentsPerFineV1] })] });
  }
}

@Module({
  imports: [KappaModule.forFeature({ aggregates: [fine], projections: [finesV1] }), forwardRef(() => AppModule)],
  providers: [Starter],
})
export class FinesModule {}

@Module({ imports: [KappaModule.forRoot({ name: 'from the module' }), FinesModule, PaymentsModule.register()] })
export class AppModule {}
