/** The only reader of the environment; everything else gets a Config. It has no secrets: those are in the vault. */
import * as z from 'zod';
import type { QueueName } from '../model/deployment.ts';
import type { RegistrationSignature } from '../model/mixin.ts';
import { timing } from '../model/timing.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const DAY_SECONDS = 86_400;

const url = z.url({ protocol: /^https?$/ });

/** The variables that the stack on AWS and the embedded one set. */
const schema = z.object({
  ENLIST_TABLE: z.string().min(1),
  ENLIST_UPLOADS_BUCKET: z.string().min(1),
  ENLIST_SECRET_PREFIX: z.string().min(1),
  ENLIST_INTAKE_QUEUE_URL: url,
  ENLIST_ENROLL_QUEUE_URL: url,
  ENLIST_CHECK_QUEUE_URL: url,
  ENLIST_REGISTER_QUEUE_URL: url,
  ENLIST_AUDIT_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(365)
    .default(timing.auditSeconds / DAY_SECONDS),
  ENLIST_KMS_KEY_ID: z.string().min(1).optional(),
  MIXIN_URL: url,
  MIXIN_REGISTRATION_SIGNATURE: z.enum(['shipped', 'documented']).default('shipped'),
  AWS_REGION: z.string().min(1),
  AWS_ACCESS_KEY_ID: z.string().optional(),
  AWS_SESSION_TOKEN: z.string().optional(),
  AWS_SECRET_ACCESS_KEY: z.string().optional(),
  AWS_ENDPOINT_URL: url.optional(),
  AWS_ENDPOINT_URL_DYNAMODB: url.optional(),
  AWS_ENDPOINT_URL_S3: url.optional(),
  AWS_ENDPOINT_URL_SECRETS_MANAGER: url.optional(),
  AWS_ENDPOINT_URL_SQS: url.optional(),
});

export interface Config {
  readonly table: string;
  readonly uploadsBucket: string;
  /** Secrets are named `<prefix>/<user_id>`, and `<prefix>/enrolment/<id>` until there is an account. */
  readonly secretPrefix: string;
  /** How long after a check a registered or external bot is checked again. */
  readonly auditSeconds: number;
  /** The KMS key that encrypts the secrets. @default the account's key for Secrets Manager */
  readonly kmsKeyId?: string;
  readonly queueUrls: Readonly<Record<QueueName, string>>;
  readonly mixinUrl: string;
  readonly registrationSignature: RegistrationSignature;
  readonly aws: {
    readonly region: string;
    /** Made up, for emulators; on AWS the SDK uses those of the role. */
    readonly credentials?: {
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    };
    /** Where the emulators answer; undefined on AWS. */
    readonly endpoints: Readonly<Record<'dynamodb' | 's3' | 'secretsManager' | 'sqs', string | undefined>>;
  };
}

/**
 * Reads and checks the environment. Throws one Error that names every variable that is missing or invalid; it never
 * quotes a value.
 */
export const readConfig = (environment: Environment): Config => {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const names = [...new Set(parsed.error.issues.map((issue) => issue.path.join('.')))];
    throw new Error(`environment variables missing or invalid: ${names.join(', ')}`);
  }
  const env = parsed.data;
  const endpoints = {
    dynamodb: env.AWS_ENDPOINT_URL_DYNAMODB ?? env.AWS_ENDPOINT_URL,
    s3: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL,
    secretsManager: env.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? env.AWS_ENDPOINT_URL,
    sqs: env.AWS_ENDPOINT_URL_SQS ?? env.AWS_ENDPOINT_URL,
  };
  const isEmulated = Object.values(endpoints).every((endpoint) => endpoint !== undefined);
  const accessKeyId = env.AWS_ACCESS_KEY_ID;
  const sessionToken = env.AWS_SESSION_TOKEN;
  const secretAccessKey = env.AWS_SECRET_ACCESS_KEY;
  return {
    table: env.ENLIST_TABLE,
    uploadsBucket: env.ENLIST_UPLOADS_BUCKET,
    secretPrefix: env.ENLIST_SECRET_PREFIX,
    auditSeconds: env.ENLIST_AUDIT_DAYS * DAY_SECONDS,
    ...(env.ENLIST_KMS_KEY_ID && { kmsKeyId: env.ENLIST_KMS_KEY_ID }),
    queueUrls: {
      intake: env.ENLIST_INTAKE_QUEUE_URL,
      enroll: env.ENLIST_ENROLL_QUEUE_URL,
      check: env.ENLIST_CHECK_QUEUE_URL,
      register: env.ENLIST_REGISTER_QUEUE_URL,
    },
    mixinUrl: env.MIXIN_URL.replace(/\/+$/, ''),
    registrationSignature: env.MIXIN_REGISTRATION_SIGNATURE,
    aws: {
      region: env.AWS_REGION,
      ...(isEmulated &&
        accessKeyId &&
        secretAccessKey && {
          credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) },
        }),
      endpoints,
    },
  };
};
