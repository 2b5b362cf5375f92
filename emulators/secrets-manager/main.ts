/** The command `npm run secrets-manager`: the emulator alone, for the AWS CLI and any AWS SDK. */
import { createCommand, parsePort, runServer, stopOnSignal } from '../command-line.ts';
import { startSecretsManager } from './server.ts';

const DEFAULT_PORT = 4_171;

interface Options {
  readonly port: number;
  readonly data?: string;
}

const describeUse = (url: string): string => `Secrets Manager emulator: ${url}

Use it with the AWS CLI or any AWS SDK:
  export AWS_ENDPOINT_URL_SECRETS_MANAGER=${url}
  export AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local
  aws secretsmanager create-secret --name bot --secret-string hello
`;

const command = createCommand(
  'npm run secrets-manager --',
  'An emulator of AWS Secrets Manager on this machine.',
)
  .option('--port <N>', 'port on 127.0.0.1; 0 for any free port', parsePort, DEFAULT_PORT)
  .option('--data <DIR>', 'folder for the secrets (default: in memory)')
  .action(async ({ port, data }: Options) => {
    const emulator = await startSecretsManager({ port, ...(data !== undefined && { dataDir: data }) });
    process.stdout.write(describeUse(emulator.url));
    stopOnSignal(emulator);
  });

await runServer(command);
