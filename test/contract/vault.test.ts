import { startEmulators } from '../../infra/local/emulators.ts';
import { describeVault } from './vault.contract.ts';

describeVault('embedded', () => startEmulators());
