/** Asks the functions themselves, through Lambda's Invoke, whether they reach what they need. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { type FunctionName, functionNames } from '../lib/model/deployment.ts';
import { awsRefusal } from './failure.ts';
import { clientOptions, describeStack, stackName } from './stack.ts';
import type { Target } from './target.ts';

const check = z.object({
  what: z.string(),
  ok: z.boolean(),
  code: z.string().optional(),
  message: z.string().optional(),
  fix: z.string().optional(),
});
export type Check = z.infer<typeof check>;
const smokeAnswer = z.object({ function: z.string(), ok: z.boolean(), checks: z.array(check) });
const crash = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });

export interface Finding {
  readonly function: string;
  readonly ok: boolean;
  readonly checks: readonly Check[];
}

const failed = (name: string, code: string, message: string, fix: string): Finding => ({
  function: name,
  ok: false,
  checks: [{ what: 'invoke', ok: false, code, message, fix }],
});

const parseJson = (payload: Uint8Array | undefined): unknown => {
  try {
    return JSON.parse(Buffer.from(payload ?? []).toString('utf8'));
  } catch {
    return undefined;
  }
};

const ask = async (client: LambdaClient, name: string, FunctionName: string): Promise<Finding> => {
  try {
    const { FunctionError, Payload } = await client.send(
      new InvokeCommand({ FunctionName, Payload: Buffer.from('{}') }),
    );
    const body = parseJson(Payload);
    if (FunctionError !== undefined) {
      const { errorType = 'Error', errorMessage = '' } = crash.safeParse(body).data ?? {};
      const message = `${errorType}: ${errorMessage.slice(0, 200)}`;
      return failed(name, 'function_crashed', message, 'Look for the error in the log of this function.');
    }
    const answer = smokeAnswer.safeParse(body);
    return answer.success
      ? { ...answer.data, function: name }
      : failed(
          name,
          'unexpected_answer',
          'It did not answer with a smoke test.',
          `Check that ${FunctionName} is a function of this version of Enlist.`,
        );
  } catch (error) {
    const { message } = awsRefusal(`Invoking ${FunctionName}`, error);
    return failed(
      name,
      'invoke_failed',
      message,
      'Check that the stack is deployed and that you may lambda:InvokeFunction.',
    );
  }
};

const nameInStack = (stage: string, outputs: Readonly<Record<string, string>>, name: FunctionName) =>
  outputs[`FunctionName${name[0]?.toUpperCase()}${name.slice(1)}`] ?? `${stackName(stage)}-${name}`;

/** The functions behind an API on this machine answer at its own address, under their short names. */
const connect = async ({ isLocal, url, place }: Target) => {
  if (isLocal) {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new LambdaClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 });
    return { client, nameOf: (name: FunctionName): string => name };
  }
  const outputs = await describeStack(place).then(
    (stack) => stack.outputs,
    () => ({}),
  );
  const client = new LambdaClient(clientOptions(place));
  return { client, nameOf: (name: FunctionName) => nameInStack(place.stage, outputs, name) };
};

/** Invokes every function with an empty event; never throws. */
export const askFunctions = async (target: Target): Promise<readonly Finding[]> => {
  const { client, nameOf } = await connect(target);
  try {
    return await Promise.all(functionNames.map((name) => ask(client, name, nameOf(name))));
  } finally {
    client.destroy();
  }
};
