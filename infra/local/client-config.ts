/** How the AWS SDK talks to an emulator. */
import { REGION } from './invocation.ts';

/** The emulators take every signature, so these are no secret. */
export const credentials = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

/** For any client of the AWS SDK. */
export const clientConfig = (endpoint: string) => ({
  endpoint,
  region: REGION,
  credentials,
});
