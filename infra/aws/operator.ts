/** The policy for operators: all that the `enlist` command needs. It allows no access to secrets. */
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2';
import { ManagedPolicy } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { limits } from '../../lib/model/limits.ts';
import { acceptObjectWildcard, acceptRouteWildcard, acceptStackWildcard } from './nag-exceptions.ts';
import type { EnlistStack } from './stack.ts';
import { allow, restrictToService } from './statements.ts';

export const createOperatorPolicy = (
  stack: EnlistStack,
  api: HttpApi,
  functions: readonly LambdaFunction[],
): ManagedPolicy => {
  const { names, settings, storage } = stack;
  // The command asks by name, so the id of the stack is not known to it.
  const stackArn = stack.formatArn({
    service: 'cloudformation',
    resource: 'stack',
    resourceName: `${names.stack}/*`,
  });
  const policy = new ManagedPolicy(stack, 'Operator', {
    managedPolicyName: names.operator,
    description: `Enlist ${settings.stage}: call its API, upload lists to its inbox, run enlist doctor`,
    statements: [
      ...allow(['execute-api:Invoke'], [api.arnForExecuteApi('*', '/*', '*')]),
      ...allow(['cloudformation:DescribeStacks'], [stackArn]),
      ...allow(['s3:PutObject'], [storage.uploads.arnForObjects(`${limits.inboxPrefix}*`)]),
      ...allow(['kms:GenerateDataKey'], [storage.keys.data.keyArn], restrictToService('s3')),
      ...allow(
        ['lambda:InvokeFunction'],
        functions.map(({ functionArn }) => functionArn),
      ),
    ],
  });
  acceptStackWildcard(policy, names.stack);
  acceptRouteWildcard(policy, api);
  acceptObjectWildcard(policy, storage.uploads, limits.inboxPrefix);
  return policy;
};
