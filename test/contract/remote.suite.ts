/** `npm run test:contract`: every contract on whatever AWS_ENDPOINT_URL names, or on the account at hand. */
import { describeQueues } from './queues.contract.ts';
import { startRemote } from './remote.ts';
import { describeTable } from './table.contract.ts';
import { describeUploads } from './uploads.contract.ts';
import { describeVault } from './vault.contract.ts';

const name = process.env.AWS_ENDPOINT_URL ?? 'the account at hand';
describeTable(name, startRemote);
describeVault(name, startRemote);
describeQueues(name, startRemote);
describeUploads(name, startRemote);
