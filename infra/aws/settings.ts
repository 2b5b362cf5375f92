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

const number = z.coerce.number({ error: 'is not a whole number' });
const whole = (minimum: number, maximum: number, unit = '') =>
  number
    .int('is not a whole number')
    .min(minimum, `is less than ${minimum}${unit}`)
    .max(maximum, `is more than ${maximum}${unit}`);

/** Left for the other functions, and for what else runs in the account. */
const SPARE_CONCURRENCY = 100;

const shape = z.strictObject({
  /** Every name derives from the stage, so that one account can have several stacks. */
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
  /** Alarms go to this address as well as to the topic. */
  alarmEmail: z.email({ error: 'is not an e-mail address' }).optional(),
  /** Above this the HTTP API answers 429; its sign-in routes have a lower limit (api.ts). */
  apiRequestsPerSecond: whole(1, 1_000).default(50),
  /** How often the sweep queues bots that are due. */
  recheckMinutes: whole(1, 60).default(schedules.recheck.everySeconds / 60),
  /** How long after a check a registered bot is audited. */
  auditDays: whole(1, 365).default(timing.auditSeconds / DAY_SECONDS),
  /** How many invocations of check, and of register, run at once. @default what lib/model/deployment.ts says */
  mixinConcurrency: whole(2, 1_000).optional(),
  /** How many invocations AWS lets the account run at once, in this region: Lambda's quota. */
  accountConcurrency: whole(10, 1_000_000).default(1_000),
  /** The one role besides the functions' that may decrypt secrets of bots, by its name with its path. */
  breakGlassRole: z
    .string()
    .regex(/^[\w+=,.@-]+(\/[\w+=,.@-]+)*$/, 'is not the name of a role')
    .optional(),
  /** How many days a KMS key can be restored after somebody deletes it. */
  keyDeletionWindowDays: whole(7, 30, ' days').default(30),
  logRetentionDays: number
    .refine((days) => retentions.includes(days), `is not one of ${retentions.join(', ')}`)
    .default(90),
  /** Keys of an earlier stack of this stage, to use in place of new ones. */
  dataKeyArn: keyArn,
  vaultKeyArn: keyArn,
});

/** check and register share the account's quota with everything else: without a rest nobody could even ask for a status. */
const schema = shape.superRefine(({ mixinConcurrency, accountConcurrency }, context) => {
  if (mixinConcurrency === undefined) return;
  const most = Math.max(2, Math.floor((accountConcurrency - SPARE_CONCURRENCY) / 2));
  if (mixinConcurrency <= most) return;
  context.addIssue({
    code: 'custom',
    path: ['mixinConcurrency'],
    message: `is more than ${most}: check and register may each run so many invocations at once, and the account may run ${accountConcurrency} (accountConcurrency), of which ${SPARE_CONCURRENCY} are left for everything else`,
  });
});

export type Settings = Readonly<z.infer<typeof shape>>;

export const settingNames = Object.keys(shape.shape) as readonly (keyof Settings)[];

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
