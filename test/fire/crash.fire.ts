import { describeCrashes } from './crash.ts';

describeCrashes({ every: true });
