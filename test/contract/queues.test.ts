import { startEmulators } from '../../infra/local/emulators.ts';
import { describeQueues } from './queues.contract.ts';

describeQueues('embedded', () => startEmulators());
