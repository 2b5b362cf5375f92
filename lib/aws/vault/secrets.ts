/** Reads, writes and removes the secrets of Secrets Manager. */
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';

const isNamed = (error: unknown, name: string) => error instanceof Error && error.name === name;

/** For `catch`: turns the error of this name into a value; throws any other again. */
export const mapError =
  <T>(name: string, value: T) =>
  (error: unknown): T => {
    if (isNamed(error, name)) return value;
    throw error;
  };

/** Is the secret scheduled for deletion? AWS has one error name for this and for other requests that it cannot carry out. */
export const isPendingDeletion = (error: unknown): boolean =>
  isNamed(error, 'InvalidRequestException') &&
  /(marked|scheduled) for deletion/i.test((error as Error).message);

/** Undefined for what is not JSON. JSON.parse quotes its input in its errors, which must not carry a secret. */
export const parseJson = (text: string): unknown => {
  // guard: json-error-carries-no-secret
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export type VersionSelector = { readonly VersionId: string } | { readonly VersionStage: string };

interface SecretsOptions {
  readonly client: SecretsManagerClient;
  /** Customer key for new secrets; absent: the account's own key for Secrets Manager. */
  readonly kmsKeyId?: string;
}

export const createSecrets = ({ client, kmsKeyId }: SecretsOptions) => ({
  /**
   * The parsed value of one version; undefined when there is no such secret or version. Throws
   * InvalidRequestException for a secret that is scheduled for deletion.
   */
  read: async (name: string, version: VersionSelector) => {
    const answer = await client
      .send(new GetSecretValueCommand({ SecretId: name, ...version }))
      .catch(mapError('ResourceNotFoundException', undefined));
    return answer && { value: parseJson(answer.SecretString ?? ''), version_id: answer.VersionId ?? '' };
  },

  /** Creates the secret; false when it exists. */
  create: async (name: string, value: unknown): Promise<boolean> => {
    try {
      await client.send(
        new CreateSecretCommand({
          Name: name,
          SecretString: JSON.stringify(value),
          ...(kmsKeyId !== undefined && { KmsKeyId: kmsKeyId }),
        }),
      );
      return true;
    } catch (error) {
      return mapError('ResourceExistsException', false)(error);
    }
  },

  /** Writes a version of a secret that exists. Throws ResourceExistsException when its token has another value. */
  put: async (
    name: string,
    value: unknown,
    version: { readonly ClientRequestToken?: string; readonly VersionStages: string[] },
  ): Promise<void> => {
    await client.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: JSON.stringify(value), ...version }),
    );
  },

  /** Schedules the secret for deletion; it can be restored until then. Does nothing when there is no such secret. */
  remove: async (name: string, recoveryDays: number): Promise<void> => {
    await client
      .send(
        new DeleteSecretCommand({
          SecretId: name,
          // guard: enrolment-secret-can-be-restored
          RecoveryWindowInDays: recoveryDays,
        }),
      )
      .catch(mapError('ResourceNotFoundException', undefined))
      .catch(mapError('InvalidRequestException', undefined));
  },
});

export type Secrets = ReturnType<typeof createSecrets>;
