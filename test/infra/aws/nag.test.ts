import { Stack, Validations } from 'aws-cdk-lib';
import { Queue } from 'aws-cdk-lib/aws-sqs';
import { AwsSolutionsChecks } from 'cdk-nag';
import { beforeAll, expect, test } from 'vitest';
import { synthesise } from './synthesised.ts';

let stack: Stack;
beforeAll(async () => {
  ({ stack } = await synthesise({ alarmEmail: 'operator@example.com' }));
}, 60_000);

const listAccepted = () =>
  stack.node
    .findAll()
    .flatMap((construct) =>
      construct.node.metadata
        .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
        .map(({ data }) => ({ at: construct.node.path, data: data as Record<string, string> })),
    );

test('AwsSolutions finds nothing that is not accepted with a reason', () => {
  const { violations } = new AwsSolutionsChecks(stack).validateScope(stack);
  const findings = violations.map(({ ruleName, violatingResources }) => ({
    ruleName,
    at: violatingResources.map(({ constructPath, resourceLogicalId }) => constructPath ?? resourceLogicalId),
  }));
  expect(findings).toEqual([]);
});

test('AwsSolutions finds what is wrong with a bare queue', () => {
  const other = new Stack();
  new Queue(other, 'Queue');
  const { violations } = new AwsSolutionsChecks(other).validateScope(other);
  expect(violations.map(({ ruleName }) => ruleName).sort()).toEqual([
    'AwsSolutions-SQS3',
    'AwsSolutions-SQS4',
  ]);
});

test('every accepted finding has a reason', () => {
  const all = listAccepted();
  expect(all.length).toBeGreaterThan(5);
  for (const { at, data } of all) {
    for (const [id, reason] of Object.entries(data))
      expect([at, id, reason.length > 80]).toEqual([at, id, true]);
  }
});
