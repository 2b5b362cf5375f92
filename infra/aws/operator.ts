/** What an operator of this stage needs for the `enlist` command: attach it to their role. It reads no secret. */
import { Aws, Stack } from 'aws-cdk-lib';
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { limits } from '../../lib/model/limits.ts';
import { argueObjects, argueRoutes } from './nag-exceptions.ts';
import type { House } from './stack-context.ts';

export const makeOperator = (
  scope: Construct,
  { names, settings, keeping }: House,
  api: HttpApi,
  functions: readonly LambdaFunction[],
): ManagedPolicy => {
  const policy = new ManagedPolicy(scope, 'Operator', {
    managedPolicyName: names.operator,
    description: `Enlist ${settings.stage}: call its API, put lists into its inbox, run enlist doctor`,
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
        resources: [keeping.uploads.arnForObjects(`${limits.inboxPrefix}*`)],
      }),
      new PolicyStatement({
        actions: ['kms:GenerateDataKey'],
        resources: [keeping.keys.data.keyArn],
        conditions: { StringEquals: { 'kms:ViaService': `s3.${Aws.REGION}.${Aws.URL_SUFFIX}` } },
      }),
      new PolicyStatement({
        actions: ['lambda:InvokeFunction'],
        resources: functions.map(({ functionArn }) => functionArn),
      }),
    ],
  });
  argueRoutes(policy, api);
  argueObjects(policy, keeping.uploads, limits.inboxPrefix);
  return policy;
};
