/** `npm run test:contract`: every contract, on AWS_ENDPOINT_URL or else on the AWS account of the environment. */
import { describeQueues } from './queues.contract.ts';
import { startRemote } from './remote.ts';
import { describeTable } from './table.contract.ts';
import { describeUploads } from './uploads.contract.ts';
import { describeVault } from './vault.contract.ts';

const name = process.env.AWS_ENDPOINT_URL ?? 'the AWS account';
describeTable(name, startRemote);
describeVault(name, startRemote);
describeQueues(name, startRemote);
describeUploads(name, startRemote);
