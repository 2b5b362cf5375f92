/** The policy for operators: all that the `enlist` command needs. It allows no access to secrets. */
import { Aws, Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { limits } from '../../lib/model/limits.ts';
import { acceptObjectWildcard, acceptRouteWildcard } from './nag-exceptions.ts';
import type { StackContext } from './stack-context.ts';

export const createOperatorPolicy = (
  scope: Construct,
  { names, settings, storage }: StackContext,
  api: HttpApi,
  functions: readonly LambdaFunction[],
): ManagedPolicy => {
  const policy = new ManagedPolicy(scope, 'Operator', {
    managedPolicyName: names.operator,
    description: `Enlist ${settings.stage}: call its API, upload lists to its inbox, run enlist doctor`,
    statements: [
      new PolicyStatement({
        actions: ['execute-api:Invoke'],
        resources: [api.arnForExecuteApi('*', '/*', '*')],
      }),
      new PolicyStatement({
        actions: ['cloudformation:DescribeStacks'],
        resources: [Stack.of(scope).stackId],
      }),
      new PolicyStatement({
        actions: ['s3:PutObject'],
        resources: [storage.uploads.arnForObjects(`${limits.inboxPrefix}*`)],
      }),
      new PolicyStatement({
        actions: ['kms:GenerateDataKey'],
        resources: [storage.keys.data.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `s3.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
      }),
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: functions.map(({ functionArn }) => functionArn),
      }),
    ],
  });
  acceptRouteWildcard(policy, api);
  acceptObjectWildcard(policy, storage.uploads, limits.inboxPrefix);
  return policy;
};
