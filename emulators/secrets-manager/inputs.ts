/** What each call of Secrets Manager takes, as far as the emulator supports it. */
import * as z from 'zod';

const MAX_VALUE_BYTES = 65_536;

const secretId = z.string().min(1).max(2_048);
const stage = z.string().min(1).max(256);
const token = z.string().min(32).max(64);

const string = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= MAX_VALUE_BYTES);
const binary = z.base64().refine((text) => {
  const { length } = Buffer.from(text, 'base64');
  return length >= 1 && length <= MAX_VALUE_BYTES;
});
const value = { SecretString: string.optional(), SecretBinary: binary.optional() };

export const inputs = {
  CreateSecret: z.object({
    Name: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[A-Za-z0-9/_+=.@!-]+$/),
    ClientRequestToken: token.optional(),
    Description: z.string().max(2_048).optional(),
    KmsKeyId: z.string().max(2_048).optional(),
    ...value,
  }),
  GetSecretValue: z.object({
    SecretId: secretId,
    VersionId: token.optional(),
    VersionStage: stage.optional(),
  }),
  PutSecretValue: z.object({
    SecretId: secretId,
    ClientRequestToken: token.optional(),
    VersionStages: z.array(stage).min(1).max(20).optional(),
    ...value,
  }),
  DescribeSecret: z.object({ SecretId: secretId }),
  UpdateSecretVersionStage: z.object({
    SecretId: secretId,
    VersionStage: stage,
    RemoveFromVersionId: token.optional(),
    MoveToVersionId: token.optional(),
  }),
  ListSecrets: z.object({
    MaxResults: z.int().min(1).max(100).default(100),
    NextToken: z.string().max(4_096).optional(),
    IncludePlannedDeletion: z.boolean().default(false),
    /** Only by the beginning of the name. */
    Filters: z
      .array(z.object({ Key: z.literal('name'), Values: z.array(z.string().max(512)).min(1).max(10) }))
      .max(10)
      .default([]),
  }),
  DeleteSecret: z.object({
    SecretId: secretId,
    RecoveryWindowInDays: z.int().optional(),
    ForceDeleteWithoutRecovery: z.boolean().default(false),
  }),
  RestoreSecret: z.object({ SecretId: secretId }),
} as const;

export type ActionName = keyof typeof inputs;
export type Input<Name extends ActionName> = z.infer<(typeof inputs)[Name]>;

/** The calls that count against `writesPerSecond`. */
export const writes: ReadonlySet<ActionName> = new Set<ActionName>([
  'CreateSecret',
  'PutSecretValue',
  'UpdateSecretVersionStage',
  'DeleteSecret',
  'RestoreSecret',
]);
