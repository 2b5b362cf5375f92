import { startEmulators } from '../../infra/local/emulators.ts';
import { describeTable } from './table.contract.ts';

describeTable('embedded', () => startEmulators());
