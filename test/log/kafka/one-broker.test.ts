import { conformanceOn } from './conformance.js';

await conformanceOn(1);
