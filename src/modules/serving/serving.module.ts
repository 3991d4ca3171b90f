import { Module } from '@nestjs/common';
import { Readers } from './readers.js';

/** Holds the one {@link Readers} of an application; imported by whatever gives or serves readers. */
@Module({ providers: [Readers], exports: [Readers] })
export class ServingModule {}
