/** The command `npm run mixin`: the stand-in Mixin server by itself, for any Mixin SDK in any language. */
import { parseArgs } from 'node:util';
import { type StandInOptions, startMixinStandIn } from './server.ts';

const DEFAULT_PORT = 4_170;

const help = `Usage: node emulators/mixin/main.ts [--port N] [--data DIR] [--signature shipped|documented]

A stand-in for https://api.mixin.one on this machine. Point any Mixin SDK at the URL it prints.

  --port N       port on 127.0.0.1, 0 for any free one (${DEFAULT_PORT})
  --data DIR     keep accounts, ledger and faults in DIR; without it they live until the server stops
  --signature S  what POST /safe/users demands as "signature":
                   shipped     as the SDKs sign: base64url Ed25519 over SHA3-256(user id)  (default)
                   documented  as the page says: hex Ed25519 over SHA-256("SEQUENCER:REGISTER:" + user id + key)
  --help         this text
`;

const afterStart = (url: string): string => `Mixin stand-in: ${url}

Create a bot; the answer holds its keystore:
  curl -X POST ${url}/_stand-in/users -d '{}'
  curl -X POST ${url}/_stand-in/users -d '[{"full_name":"One"},{"tip":"foreign"},{"session":"revoked"}]'
Sign in with a phone, and read the code it was sent:
  curl -X POST ${url}/verifications -d '{"phone":"+8613800013800","purpose":"SESSION","platform":"iOS"}'
  curl ${url}/_stand-in/verifications
See what happened, and make trouble:
  curl ${url}/_stand-in/accounts
  curl ${url}/_stand-in/ledger
  curl -X PUT ${url}/_stand-in/faults -d '[{"name":"answer_lost","path":"/safe/users","times":1}]'
`;

const readOptions = (): StandInOptions | undefined => {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: String(DEFAULT_PORT) },
      data: { type: 'string' },
      signature: { type: 'string', default: 'shipped' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port > 65_535) throw new TypeError('--port is not a port number');
  const { signature, data } = values;
  if (signature !== 'shipped' && signature !== 'documented')
    throw new TypeError('--signature is shipped or documented');
  return { port, signature, ...(data === undefined ? {} : { dataDir: data }) };
};

try {
  const options = readOptions();
  if (options === undefined) process.stdout.write(help);
  else {
    const standIn = await startMixinStandIn(options);
    process.stdout.write(afterStart(standIn.url));
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void standIn.stop());
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`);
  process.exitCode = 2;
}
