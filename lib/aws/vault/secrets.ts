/** Secrets Manager as the vault needs it: one secret's versions, read and written. */
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';

const isNamed = (error: unknown, name: string) => error instanceof Error && error.name === name;

/** For `catch`: this error becomes that answer, any other is thrown on. */
export const unless =
  <T>(name: string, instead: T) =>
  (error: unknown): T => {
    if (isNamed(error, name)) return instead;
    throw error;
  };

/** JSON.parse quotes its input in its errors: a secret must not get there. */
export const parseQuietly = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

export type WhichVersion = { readonly VersionId: string } | { readonly VersionStage: string };

export interface SecretsOptions {
  readonly client: SecretsManagerClient;
  /** Customer key for new secrets; absent: the account's own key for Secrets Manager. */
  readonly kmsKeyId?: string;
}

export const createSecrets = ({ client, kmsKeyId }: SecretsOptions) => ({
  /** Parsed; undefined when there is no such secret or version. Throws InvalidRequestException while its deletion waits. */
  read: async (name: string, version: WhichVersion) => {
    const answer = await client
      .send(new GetSecretValueCommand({ SecretId: name, ...version }))
      .catch(unless('ResourceNotFoundException', undefined));
    return answer && { value: parseQuietly(answer.SecretString ?? ''), version_id: answer.VersionId ?? '' };
  },

  /** Makes the secret; false when it exists. */
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
      return unless('ResourceExistsException', false)(error);
    }
  },

  put: async (
    name: string,
    value: unknown,
    version: { readonly ClientRequestToken?: string; readonly VersionStages: string[] },
  ): Promise<void> => {
    await client.send(
      new PutSecretValueCommand({ SecretId: name, SecretString: JSON.stringify(value), ...version }),
    );
  },

  /** Schedules the secret for deletion; it can be restored until then. Nothing to do where there is none. */
  remove: async (name: string, recoveryDays: number): Promise<void> => {
    await client
      .send(new DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: recoveryDays }))
      .catch(unless('ResourceNotFoundException', undefined))
      .catch(unless('InvalidRequestException', undefined));
  },
});

export type Secrets = ReturnType<typeof createSecrets>;
