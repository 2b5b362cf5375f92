/** A secret as the emulator stores it. Records are never changed, only replaced. */
import * as z from 'zod';

const version = z.object({
  /** What was given as SecretString. */
  string: z.string().optional(),
  /** What was given as SecretBinary, base64. */
  binary: z.string().optional(),
  stages: z.array(z.string()).readonly(),
  /** Milliseconds since 1970, as all times here. */
  createdAt: z.number(),
});
export type SecretVersion = Readonly<z.infer<typeof version>>;

export const secretRecord = z.object({
  name: z.string(),
  arn: z.string(),
  description: z.string().optional(),
  kmsKeyId: z.string().optional(),
  createdAt: z.number(),
  changedAt: z.number(),
  /** End of the recovery window, when the secret is scheduled for deletion. */
  deletionAt: z.number().optional(),
  /** By version id, which is the ClientRequestToken. */
  versions: z.record(z.string(), version).readonly(),
});
export type SecretRecord = Readonly<z.infer<typeof secretRecord>>;

export type SecretValue = Pick<SecretVersion, 'string' | 'binary'>;

export type SecretErrorName =
  | 'ResourceNotFoundException'
  | 'ResourceExistsException'
  | 'InvalidRequestException'
  | 'InvalidParameterException'
  | 'InvalidNextTokenException'
  | 'LimitExceededException'
  | 'ThrottlingException'
  | 'ValidationException';

/** An error of the service, under the name that AWS gives it. */
export class SecretError extends Error {
  override readonly name: SecretErrorName;
  constructor(name: SecretErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = name;
  }
}
