/** The emulators of AWS in a process of their own, with their data in the folder that the argument names. */
import { startEmulators } from '../../../infra/local/emulators.ts';
import { tellParent, untilAsked } from './children.ts';

const dataDir = JSON.parse(process.argv[2] ?? '') as string;
const emulators = await startEmulators({ dataDir });
const released = await emulators.releaseInFlight();
tellParent({ kind: 'emulators', environment: emulators.environment, released });
await untilAsked();
await emulators.stop();
process.exit(0);
