import { defineKappaConfig } from 'nest-kappa';
import { fine } from './src/fines.js';
import { finesV1, PaymentsPerFineV1 } from './src/projections.js';

console.log('the configuration is loaded');

export default defineKappaConfig({
  options: { name: 'fixture', projections: { deadLetters: { halt: process.env['FIXTURE_HALTS'] === 'yes' } } },
  aggregates: [fine],
  projections: [finesV1, PaymentsPerFineV1],
});
