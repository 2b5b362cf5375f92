/** The command `npm run mixin`: the stand-in Mixin server alone, for any Mixin SDK in any language. */
import { Option } from 'commander';
import { createCommand, parsePort, runServer, stopOnSignal } from '../command-line.ts';
import { type StandInOptions, startMixinStandIn } from './server.ts';

const DEFAULT_PORT = 4_170;

interface Options {
  readonly port: number;
  readonly data?: string;
  readonly signature: NonNullable<StandInOptions['signature']>;
  readonly strictRequestId?: boolean;
}

const describeUse = (url: string): string => `Mixin stand-in: ${url}

Create a bot; the answer holds its keystore:
  curl -X POST ${url}/_stand-in/users -d '{}'
  curl -X POST ${url}/_stand-in/users -d '[{"full_name":"One"},{"tip":"foreign"},{"session":"revoked"}]'
Sign in with a phone, and read the code that was sent to it:
  curl -X POST ${url}/verifications -d '{"phone":"+8613800013800","purpose":"SESSION","platform":"iOS"}'
  curl ${url}/_stand-in/verifications
See what happened, and set faults:
  curl ${url}/_stand-in/accounts
  curl ${url}/_stand-in/ledger
  curl -X PUT ${url}/_stand-in/faults -d '[{"name":"answer_lost","path":"/safe/users","times":1}]'
`;

const command = createCommand(
  'npm run mixin --',
  'A stand-in for https://api.mixin.one on this machine. Point any Mixin SDK at the URL that it prints.',
)
  .option('--port <N>', 'port on 127.0.0.1; 0 for any free port', parsePort, DEFAULT_PORT)
  .option('--data <DIR>', 'folder for accounts, ledger and faults (default: in memory)')
  .addOption(
    new Option('--signature <KIND>', 'what POST /safe/users expects as "signature"')
      .choices(['shipped', 'documented'])
      .default('shipped'),
  )
  .option('--strict-request-id', 'X-Request-Id, where it is sent, must be the jti of the token')
  .addHelpText(
    'after',
    `
Signatures:
  shipped     as the SDKs sign: base64url Ed25519 over SHA3-256(user id)
  documented  as Mixin's page says: hex Ed25519 over
              SHA-256("SEQUENCER:REGISTER:" + user id + public key)`,
  )
  .action(async ({ port, data, signature, strictRequestId = false }: Options) => {
    const standIn = await startMixinStandIn({
      port,
      signature,
      strict_request_id: strictRequestId,
      ...(data !== undefined && { dataDir: data }),
    });
    process.stdout.write(describeUse(standIn.url));
    stopOnSignal(standIn);
  });

await runServer(command);
