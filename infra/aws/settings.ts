/** What an operator may set by CDK context (`cdk deploy -c stage=test`), checked before anything is created. */
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import * as z from 'zod';
import { schedules } from '../../lib/model/deployment.ts';
import { timing } from '../../lib/model/timing.ts';

const retentions = Object.values(RetentionDays).filter(
  (days): days is number => typeof days === 'number' && days < RetentionDays.INFINITE,
);

const keyArn = z
  .string()
  .regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[0-9a-f-]{36}$/, 'is not the ARN of a KMS key')
  .optional();

const DAY_SECONDS = 86_400;

const whole = (minimum: number, maximum: number) =>
  z.coerce
    .number({ error: 'is not a whole number' })
    .int('is not a whole number')
    .min(minimum, `is less than ${minimum}`)
    .max(maximum, `is more than ${maximum}`);

const schema = z.strictObject({
  stage: z
    .string()
    .regex(/^[a-z0-9-]{1,20}$/, 'is not 1 to 20 of a-z, 0-9 and -')
    .default('prod'),
  mixinUrl: z
    .url({ protocol: /^https$/, error: 'is not an https:// URL' })
    .transform((url) => url.replace(/\/+$/, ''))
    .default('https://api.mixin.one'),
  registrationSignature: z
    .enum(['shipped', 'documented'], { error: 'is neither shipped nor documented' })
    .default('shipped'),
  alarmEmail: z.email({ error: 'is not an e-mail address' }).optional(),
  apiRequestsPerSecond: whole(1, 1_000).default(50),
  recheckMinutes: whole(1, 60).default(schedules.recheck.everySeconds / 60),
  auditDays: whole(1, 365).default(timing.auditSeconds / DAY_SECONDS),
  mixinConcurrency: whole(2, 1_000).optional(),
  keyDeletionWindowDays: z.coerce
    .number({ error: 'is not a whole number' })
    .int('is not a whole number')
    .min(7, 'is less than 7 days')
    .max(30, 'is more than 30 days')
    .default(30),
  logRetentionDays: z.coerce
    .number({ error: 'is not a whole number' })
    .refine((days) => retentions.includes(days), `is not one of ${retentions.join(', ')}`)
    .default(90),
  dataKeyArn: keyArn,
  vaultKeyArn: keyArn,
});

export interface Settings {
  /** Every name derives from the stage, so that one account can have several stacks. */
  readonly stage: string;
  readonly mixinUrl: string;
  readonly registrationSignature: 'shipped' | 'documented';
  /** Alarms go to this address as well as to the topic. */
  readonly alarmEmail?: string | undefined;
  /** Above this the HTTP API answers 429; its sign-in routes have a lower limit (api.ts). */
  readonly apiRequestsPerSecond: number;
  /** How often the sweep queues bots that are due. */
  readonly recheckMinutes: number;
  /** How long after a check a registered bot is audited. */
  readonly auditDays: number;
  /** How many invocations of check, and of register, run at once. @default what lib/model/deployment.ts says */
  readonly mixinConcurrency?: number | undefined;
  /** How many days a KMS key can be restored after somebody deletes it. */
  readonly keyDeletionWindowDays: number;
  readonly logRetentionDays: number;
  /** Keys of an earlier stack of this stage, to use in place of new ones. */
  readonly dataKeyArn?: string | undefined;
  readonly vaultKeyArn?: string | undefined;
}

export const settingNames = Object.keys(schema.shape) as readonly (keyof Settings)[];

/** All other names of CDK's own context have a colon or a slash. */
const cdkNames: ReadonlySet<string> = new Set(['cli-telemetry', 'cdk-migrate']);
const isOurs = (name: string) => !/[:/]/.test(name) && !cdkNames.has(name);

const describeIssue = (issue: z.core.$ZodIssue, ours: Readonly<Record<string, unknown>>): string => {
  if (issue.code === 'unrecognized_keys') {
    return `There is no setting ${issue.keys.join(', ')}. The settings are ${settingNames.join(', ')}.`;
  }
  const name = String(issue.path[0]);
  return `The setting ${name} (${JSON.stringify(ours[name])}) ${issue.message}.`;
};

/** @param context all of the app's context. Throws one Error with a sentence for each invalid or unknown setting. */
export const readSettings = (context: Readonly<Record<string, unknown>>): Settings => {
  const ours = Object.fromEntries(Object.entries(context).filter(([name]) => isOurs(name)));
  const parsed = schema.safeParse(ours);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map((issue) => describeIssue(issue, ours)).join(' '));
};

/** Secrets are named `<prefix>/<user_id>` (lib/aws/vault/vault.ts); each stage has its own prefix. */
export const secretPrefix = (stage: string): string => (stage === 'prod' ? 'enlist' : `enlist-${stage}`);

/** Secrets of enrolments, which have no account yet, are named `<prefix>/enrolment/<id>`. No user id begins so. */
export const enrolmentPrefix = (stage: string): string => `${secretPrefix(stage)}/enrolment`;
