import { startEmulators } from '../../infra/local/emulators.ts';
import { describeUploads } from './uploads.contract.ts';

describeUploads('embedded', () => startEmulators());
