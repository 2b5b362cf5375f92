import { describe, expect, test } from 'vitest';
import { deriveNames } from '../../../infra/aws/names.ts';
import { readSettings, settingNames } from '../../../infra/aws/settings.ts';
import { createApp } from '../../../infra/aws/synth.ts';
import { readPage, section, tableRows } from '../../docs/page.ts';

describe('settings', () => {
  test('every required setting has a default', () => {
    expect(readSettings({})).toEqual({
      stage: 'prod',
      mixinUrl: 'https://api.mixin.one',
      registrationSignature: 'shipped',
      apiRequestsPerSecond: 50,
      recheckMinutes: 1,
      accountConcurrency: 1_000,
      auditDays: 7,
      keyDeletionWindowDays: 30,
      logRetentionDays: 90,
    });
  });

  test('settings are text on the command line and numbers in cdk.json', () => {
    expect(readSettings({ keyDeletionWindowDays: '7', logRetentionDays: 30 })).toMatchObject({
      keyDeletionWindowDays: 7,
      logRetentionDays: 30,
    });
  });

  test("CDK's own context is ignored", () => {
    const context = { '@aws-cdk/core:x': true, 'aws:cdk:y': 1, 'cli-telemetry': false, 'ami:account=1': 'z' };
    expect(readSettings(context).stage).toBe('prod');
  });

  test.each([
    ['stage', 'Prod', 'The setting stage ("Prod") is not 1 to 20 of a-z, 0-9 and -.'],
    ['stage', 'a-stage-with-21-letter', 'The setting stage'],
    [
      'mixinUrl',
      'http://api.mixin.one',
      'The setting mixinUrl ("http://api.mixin.one") is not an https:// URL.',
    ],
    ['mixinUrl', 'api.mixin.one', 'The setting mixinUrl ("api.mixin.one") is not an https:// URL.'],
    [
      'registrationSignature',
      'sha3',
      'The setting registrationSignature ("sha3") is neither shipped nor documented.',
    ],
    ['alarmEmail', 'nobody', 'The setting alarmEmail ("nobody") is not an e-mail address.'],
    ['apiRequestsPerSecond', '0', 'The setting apiRequestsPerSecond ("0") is less than 1.'],
    ['apiRequestsPerSecond', '1.5', 'The setting apiRequestsPerSecond ("1.5") is not a whole number.'],
    ['apiRequestsPerSecond', 'many', 'The setting apiRequestsPerSecond ("many") is not a whole number.'],
    ['recheckMinutes', '0', 'The setting recheckMinutes ("0") is less than 1.'],
    ['auditDays', '400', 'The setting auditDays ("400") is more than 365.'],
    ['mixinConcurrency', '1', 'The setting mixinConcurrency ("1") is less than 2.'],
    [
      'mixinConcurrency',
      '451',
      'The setting mixinConcurrency ("451") is more than 450: check and register may each run so many invocations at once, and the account may run 1000 (accountConcurrency)',
    ],
    [
      'breakGlassRole',
      'arn:aws:iam::1:role/x',
      'The setting breakGlassRole ("arn:aws:iam::1:role/x") is not',
    ],
    ['keyDeletionWindowDays', '6', 'The setting keyDeletionWindowDays ("6") is less than 7 days.'],
    ['keyDeletionWindowDays', '31', 'The setting keyDeletionWindowDays ("31") is more than 30 days.'],
    ['logRetentionDays', '42', 'The setting logRetentionDays ("42") is not one of 1, 3, 5, 7,'],
    ['dataKeyArn', 'alias/x', 'The setting dataKeyArn ("alias/x") is not the ARN of a KMS key.'],
    ['vaultKeyArn', 'x', 'The setting vaultKeyArn ("x") is not the ARN of a KMS key.'],
    ['stge', 'test', 'There is no setting stge. The settings are stage, mixinUrl,'],
  ])('the setting %s = %s fails the synthesis with a sentence', async (name, value, sentence) => {
    await expect(createApp({ context: { [name]: value } })).rejects.toThrow(sentence);
  });

  test('all invalid settings are reported in one error', () => {
    expect(() => readSettings({ stage: 'X', keyDeletionWindowDays: 1 })).toThrow(
      /The setting stage .*\. The setting keyDeletionWindowDays .*\./,
    );
  });

  test('docs/deploy.md lists every setting with its default', () => {
    const rows = tableRows(section(readPage('docs/deploy.md'), '## Settings'));
    const defaults = readSettings({}) as unknown as Record<string, unknown>;
    expect(rows.map(([name]) => name)).toEqual(settingNames.map((name) => `\`${name}\``));
    for (const [name = '', standard = ''] of rows) {
      const value = defaults[name.replaceAll('`', '')];
      expect([name, standard]).toEqual([name, value === undefined ? 'none' : `\`${value}\``]);
    }
  });
});

describe('names', () => {
  test('two stages of one account share no name', () => {
    const flat = (stage: string) => {
      const names = deriveNames(stage);
      const { stack, table, bucket, topic, dashboard, metrics, api, operator } = names;
      const more = [
        names.function('check'),
        names.queue('check'),
        names.deadLetters('check'),
        names.scheduleDeadLetters('recheck'),
        names.logGroup('check'),
        names.alarm('x'),
        names.alias('data'),
      ];
      return [stack, table, bucket, topic, dashboard, metrics, api, operator, ...more, names.secretPrefix];
    };
    const test = new Set(flat('test'));
    expect(flat('prod').filter((name) => test.has(name))).toEqual([]);
  });

  test('secrets of prod are named enlist/, those of other stages enlist-<stage>/', () => {
    expect([deriveNames('prod').secretPrefix, deriveNames('test').secretPrefix]).toEqual([
      'enlist',
      'enlist-test',
    ]);
    expect(deriveNames('test').enrolmentPrefix).toBe('enlist-test/enrolment');
  });

  test('bucket names have 63 characters or fewer', () => {
    const longest = deriveNames('x'.repeat(20)).bucket.replace(
      /\$\{Token\[AWS\.AccountId[^}]*\}/,
      '1'.repeat(12),
    );
    expect(longest.replace(/\$\{Token\[AWS\.Region[^}]*\}/, 'ap-southeast-1').length).toBeLessThanOrEqual(63);
  });
});
