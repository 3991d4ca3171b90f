import { twoAppsOn } from './two-apps-on.js';

twoAppsOn('postgres', { env: {} });
