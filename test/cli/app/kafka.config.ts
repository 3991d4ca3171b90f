import { defineKappaConfig } from 'nest-kappa';
import { kafka } from 'nest-kappa/kafka';
import config from './kappa.config.js';

/** The same application after its move to Kafka. */
export default defineKappaConfig({
  ...config,
  options: { ...config.options, log: kafka({ brokers: process.env['BROKERS'] ?? 'localhost:9092' }) },
});
