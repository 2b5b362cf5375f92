/** The emulators of AWS in a process of their own, with their data in the folder that the argument names. */
import { startEmulators } from '../../../infra/local/emulators.ts';
import { sendToParent, waitForStop } from './children.ts';

const dataDir = JSON.parse(process.argv[2] ?? '') as string;
const emulators = await startEmulators({ dataDir });
const released = await emulators.releaseInFlight();
sendToParent({ kind: 'emulators', environment: emulators.environment, released });
await waitForStop();
await emulators.stop();
process.exit(0);
