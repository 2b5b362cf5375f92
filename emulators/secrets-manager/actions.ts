/** The calls of Secrets Manager, each from checked input to the answer as it goes over the wire. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { ActionName, Input } from './inputs.ts';
import { SecretError, type SecretRecord, type SecretValue } from './record.ts';
import { comesBefore, requireSecret, requireUsable, type SecretStore } from './store.ts';
import { addVersion, CURRENT, findVersion, hasValue, updateStage } from './versions.ts';

export interface ActionContext {
  readonly store: SecretStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly pruneUnlabelled: boolean;
}

type Answer = Readonly<Record<string, unknown>>;
type Actions = {
  readonly [Name in ActionName]: (context: ActionContext, input: Input<Name>) => Answer | Promise<Answer>;
};

const DAY_MS = 86_400_000;

const toSeconds = (milliseconds: number): number => milliseconds / 1_000;

/** ARNs name a region and an account; the emulator has one of each. */
const ARN_PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:';

/** AWS adds six random characters. */
const createArn = (name: string): string => `${ARN_PREFIX}${name}-${randomBytes(3).toString('hex')}`;

const invalidParameter = (message: string) => new SecretError('InvalidParameterException', message);

/** The value in the request, undefined when there is none, and the token that a value must have. */
const readValue = (
  input: Pick<Input<'PutSecretValue'>, 'SecretString' | 'SecretBinary' | 'ClientRequestToken'>,
): { readonly id: string; readonly value: SecretValue } | undefined => {
  const { SecretString, SecretBinary, ClientRequestToken } = input;
  if (SecretString === undefined && SecretBinary === undefined) return undefined;
  if (SecretString !== undefined && SecretBinary !== undefined)
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (ClientRequestToken === undefined)
    throw invalidParameter('You must provide a ClientRequestToken value. We recommend a UUID-type value.');
  const value = SecretString === undefined ? { binary: SecretBinary } : { string: SecretString };
  return { id: ClientRequestToken, value };
};

const listStagesByVersion = ({ versions }: SecretRecord): Answer =>
  Object.fromEntries(
    Object.entries(versions)
      .filter(([, { stages }]) => stages.length > 0)
      .map(([id, { stages }]) => [id, stages]),
  );

const identify = ({ arn, name }: Pick<SecretRecord, 'arn' | 'name'>) => ({ ARN: arn, Name: name });

const describe = (secret: SecretRecord): Answer => ({
  ...identify(secret),
  ...(secret.description !== undefined && { Description: secret.description }),
  ...(secret.kmsKeyId !== undefined && { KmsKeyId: secret.kmsKeyId }),
  CreatedDate: toSeconds(secret.createdAt),
  LastChangedDate: toSeconds(secret.changedAt),
  ...(secret.deletionAt !== undefined && { DeletedDate: toSeconds(secret.deletionAt) }),
});

/** CreateSecret of an existing name succeeds only as a repetition of the same call. */
const checkRepetition = (secret: SecretRecord, added: ReturnType<typeof readValue>): void => {
  if (secret.deletionAt !== undefined)
    throw new SecretError(
      'InvalidRequestException',
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  const version = added && secret.versions[added.id];
  if (!version || !hasValue(version, added.value))
    throw new SecretError(
      'ResourceExistsException',
      `The operation failed because the secret ${secret.name} already exists.`,
    );
};

const createRecord = (input: Input<'CreateSecret'>, now: number): SecretRecord => ({
  name: input.Name,
  arn: createArn(input.Name),
  ...(input.Description !== undefined && { description: input.Description }),
  ...(input.KmsKeyId !== undefined && { kmsKeyId: input.KmsKeyId }),
  createdAt: now,
  changedAt: now,
  versions: {},
});

const scheduleDeletion = (secret: SecretRecord, days: number, now: number) => {
  if (secret.deletionAt !== undefined)
    throw new SecretError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was already scheduled for deletion.",
    );
  return { ...secret, deletionAt: now + days * DAY_MS };
};

const deleteAtOnce = async ({ store, now }: ActionContext, id: string): Promise<Answer> => {
  const secret = store.find(id) ?? { arn: createArn(id), name: id };
  await store.update(id, () => undefined);
  return { ...identify(secret), DeletionDate: toSeconds(now()) };
};

const matches = (secret: SecretRecord, input: Input<'ListSecrets'>): boolean =>
  (input.IncludePlannedDeletion || secret.deletionAt === undefined) &&
  input.Filters.every(({ Values }) => Values.some((start) => secret.name.startsWith(start)));

const createToken = ({ createdAt, name }: SecretRecord): string =>
  Buffer.from(JSON.stringify([createdAt, name])).toString('base64url');

const pageToken = z.tuple([z.number(), z.string()]);

/** Where the page begins: after the secret that the token names, even if that one is gone by now. */
const startAfter = (secrets: readonly SecretRecord[], token: string | undefined): number => {
  if (token === undefined) return 0;
  try {
    const [createdAt, name] = pageToken.parse(JSON.parse(Buffer.from(token, 'base64url').toString()));
    const index = secrets.findIndex((secret) => comesBefore({ createdAt, name }, secret));
    return index < 0 ? secrets.length : index;
  } catch (cause) {
    throw new SecretError('InvalidNextTokenException', 'The NextToken value is invalid.', { cause });
  }
};

export const actions: Actions = {
  CreateSecret: async ({ store, now, pruneUnlabelled }, input) => {
    const newVersion = readValue(input);
    const secret = await store.update(input.Name, (existing) => {
      if (existing) {
        checkRepetition(existing, newVersion);
        return existing;
      }
      const empty = createRecord(input, now());
      return newVersion
        ? addVersion(empty, { ...newVersion, stages: [CURRENT], now: now(), pruneUnlabelled })
        : empty;
    });
    return { ...identify(secret), ...(newVersion && { VersionId: newVersion.id }) };
  },

  GetSecretValue: ({ store }, { SecretId, VersionId, VersionStage }) => {
    const secret = requireUsable(store.find(SecretId));
    const { id, version } = findVersion(secret, VersionId, VersionStage);
    return {
      ...identify(secret),
      VersionId: id,
      ...(version.string !== undefined && { SecretString: version.string }),
      ...(version.binary !== undefined && { SecretBinary: version.binary }),
      VersionStages: version.stages,
      CreatedDate: toSeconds(version.createdAt),
    };
  },

  PutSecretValue: async ({ store, now, pruneUnlabelled }, input) => {
    const newVersion = readValue(input);
    if (!newVersion)
      throw new SecretError(
        'InvalidRequestException',
        'You must provide either SecretString or SecretBinary.',
      );
    const stages = input.VersionStages ?? [CURRENT];
    const secret = await store.update(input.SecretId, (existing) =>
      addVersion(requireUsable(existing), { ...newVersion, stages, now: now(), pruneUnlabelled }),
    );
    return {
      ...identify(secret),
      VersionId: newVersion.id,
      VersionStages: secret.versions[newVersion.id]?.stages ?? [],
    };
  },

  DescribeSecret: ({ store }, { SecretId }) => {
    const secret = requireSecret(store.find(SecretId));
    return { ...describe(secret), VersionIdsToStages: listStagesByVersion(secret) };
  },

  UpdateSecretVersionStage: async ({ store, now, pruneUnlabelled }, input) => {
    const { SecretId, VersionStage: stage, RemoveFromVersionId: from, MoveToVersionId: to } = input;
    const secret = await store.update(SecretId, (existing) =>
      updateStage(requireUsable(existing), { stage, from, to, now: now(), pruneUnlabelled }),
    );
    return identify(secret);
  },

  ListSecrets: ({ store }, input) => {
    const secrets = store.list();
    const start = startAfter(secrets, input.NextToken);
    const rest = secrets.slice(start).filter((secret) => matches(secret, input));
    const page = rest.slice(0, input.MaxResults);
    const last = page.at(-1);
    return {
      SecretList: page.map((secret) => ({
        ...describe(secret),
        SecretVersionsToStages: listStagesByVersion(secret),
      })),
      ...(last && rest.length > page.length && { NextToken: createToken(last) }),
    };
  },

  DeleteSecret: async (context, { SecretId, RecoveryWindowInDays, ForceDeleteWithoutRecovery }) => {
    if (ForceDeleteWithoutRecovery && RecoveryWindowInDays !== undefined)
      throw invalidParameter(
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
      );
    if (ForceDeleteWithoutRecovery) return deleteAtOnce(context, SecretId);
    const days = RecoveryWindowInDays ?? 30;
    if (days < 7 || days > 30)
      throw invalidParameter('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
    const secret = await context.store.update(SecretId, (existing) =>
      scheduleDeletion(requireSecret(existing), days, context.now()),
    );
    return { ...identify(secret), DeletionDate: toSeconds(secret.deletionAt) };
  },

  RestoreSecret: async ({ store }, { SecretId }) => {
    const secret = await store.update(SecretId, (existing) => {
      const { deletionAt: _ended, ...restored } = requireSecret(existing);
      return restored;
    });
    return identify(secret);
  },
};
