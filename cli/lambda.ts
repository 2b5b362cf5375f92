/** Invokes the functions through Lambda's API, so that each tries everything it depends on. */
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { type FunctionName, functionNames } from '../lib/model/deployment.ts';
import { createAwsError } from './errors.ts';
import { parseJson } from './files.ts';
import { createClientOptions, describeStack, formatStackName } from './stack.ts';
import type { Target } from './target.ts';

const check = z.object({
  what: z.string(),
  ok: z.boolean(),
  code: z.string().optional(),
  message: z.string().optional(),
  fix: z.string().optional(),
});
export type Check = z.infer<typeof check>;
const diagnosis = z.object({ function: z.string(), ok: z.boolean(), checks: z.array(check) });
const crash = z.object({ errorType: z.string().optional(), errorMessage: z.string().optional() });

/** What one function, or the HTTP API, can reach. */
export type Diagnosis = z.infer<typeof diagnosis>;

const failInvoke = (name: string, code: string, message: string, fix: string): Diagnosis => ({
  function: name,
  ok: false,
  checks: [{ what: 'invoke', ok: false, code, message, fix }],
});

const invoke = async (client: LambdaClient, name: string, FunctionName: string): Promise<Diagnosis> => {
  try {
    const { FunctionError, Payload } = await client.send(
      new InvokeCommand({ FunctionName, Payload: Buffer.from('{}') }),
    );
    const body = parseJson(Payload?.transformToString() ?? '');
    if (FunctionError !== undefined) {
      const { errorType = 'Error', errorMessage = '' } = crash.safeParse(body).data ?? {};
      const message = `${errorType}: ${errorMessage.slice(0, 200)}`;
      return failInvoke(name, 'function_crashed', message, 'Look for the error in the log of this function.');
    }
    const answer = diagnosis.safeParse(body);
    return answer.success
      ? { ...answer.data, function: name }
      : failInvoke(
          name,
          'unexpected_answer',
          'It did not answer with a smoke test.',
          `Check that ${FunctionName} is a function of this version of Enlist.`,
        );
  } catch (error) {
    const { message } = createAwsError(`Invoking ${FunctionName}`, error);
    return failInvoke(
      name,
      'invoke_failed',
      message,
      'Check that the stack is deployed and that you have the permission lambda:InvokeFunction.',
    );
  }
};

const findName = (stage: string, outputs: Readonly<Record<string, string>>, name: FunctionName) =>
  outputs[`FunctionName${name[0]?.toUpperCase()}${name.slice(1)}`] ?? `${formatStackName(stage)}-${name}`;

/** The functions behind an API on this machine answer at its own address, under their short names. */
const connect = async ({ isLocal, url, aws }: Target) => {
  if (isLocal) {
    const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
    const client = new LambdaClient({ endpoint: url, region: 'us-east-1', credentials, maxAttempts: 1 });
    return { client, getName: (name: FunctionName): string => name };
  }
  const outputs = await describeStack(aws).then(
    (stack) => stack.outputs,
    () => ({}),
  );
  const client = new LambdaClient(createClientOptions(aws));
  return { client, getName: (name: FunctionName) => findName(aws.stage, outputs, name) };
};

/** Invokes every function with an empty event; never throws. */
export const invokeFunctions = async (target: Target): Promise<readonly Diagnosis[]> => {
  const { client, getName } = await connect(target);
  try {
    return await Promise.all(functionNames.map((name) => invoke(client, name, getName(name))));
  } finally {
    client.destroy();
  }
};
