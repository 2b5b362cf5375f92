/** How the AWS SDK talks to the emulators, and the account that they play. */

export const REGION = 'us-east-1';
export const ACCOUNT = '000000000000';

/** The emulators accept every signature, so these are not secret. */
export const credentials = { accessKeyId: 'local', secretAccessKey: 'local' } as const;

/** For any client of the AWS SDK. */
export const clientConfig = (endpoint: string) => ({
  endpoint,
  region: REGION,
  credentials,
});
