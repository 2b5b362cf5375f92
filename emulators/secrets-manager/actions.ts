/** The calls of Secrets Manager, each from checked input to the answer as it goes over the wire. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { ActionName, Input } from './inputs.ts';
import { SecretError, type SecretRecord, type SecretValue } from './record.ts';
import { comesBefore, requireSecret, requireUsable, type SecretStore } from './store.ts';
import { addVersion, CURRENT, findVersion, updateStage } from './versions.ts';

export interface ActionContext {
  readonly store: SecretStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly pruneUnlabelled: boolean;
}

type Answer = Readonly<Record<string, unknown>>;
type Actions = {
  readonly [Name in ActionName]: (world: ActionContext, input: Input<Name>) => Answer | Promise<Answer>;
};

const DAY_MS = 86_400_000;

const toSeconds = (milliseconds: number): number => milliseconds / 1_000;

const createSuffix = (): string => randomBytes(4).toString('hex').slice(0, 6);

/** ARNs name a region and an account; the emulator has one of each. */
const ARN_PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:';

const createArn = (name: string): string => `${ARN_PREFIX}${name}-${createSuffix()}`;

const invalid = (message: string) => new SecretError('InvalidParameterException', message);

/** The value in the request, undefined when there is none, and the token that a value must have. */
const readValue = (
  input: Pick<Input<'PutSecretValue'>, 'SecretString' | 'SecretBinary' | 'ClientRequestToken'>,
): { readonly id: string; readonly value: SecretValue } | undefined => {
  const { SecretString, SecretBinary, ClientRequestToken } = input;
  if (SecretString === undefined && SecretBinary === undefined) return undefined;
  if (SecretString !== undefined && SecretBinary !== undefined)
    throw invalid(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (ClientRequestToken === undefined)
    throw invalid('You must provide a ClientRequestToken value. We recommend a UUID-type value.');
  const value = SecretString === undefined ? { binary: SecretBinary } : { string: SecretString };
  return { id: ClientRequestToken, value };
};

const listStagesByVersion = ({ versions }: SecretRecord): Answer =>
  Object.fromEntries(
    Object.entries(versions)
      .filter(([, { stages }]) => stages.length > 0)
      .map(([id, { stages }]) => [id, stages]),
  );

const describe = (secret: SecretRecord): Answer => ({
  ARN: secret.arn,
  Name: secret.name,
  ...(secret.description !== undefined && { Description: secret.description }),
  ...(secret.kmsKeyId !== undefined && { KmsKeyId: secret.kmsKeyId }),
  CreatedDate: toSeconds(secret.createdAt),
  LastChangedDate: toSeconds(secret.changedAt),
  ...(secret.deletionAt !== undefined && { DeletedDate: toSeconds(secret.deletionAt) }),
});

/** CreateSecret of an existing name succeeds only as a repetition of the same call. */
const checkRepetition = (secret: SecretRecord, written: ReturnType<typeof readValue>): void => {
  if (secret.deletionAt !== undefined)
    throw new SecretError(
      'InvalidRequestException',
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  const version = written && secret.versions[written.id];
  const { string, binary } = written?.value ?? {};
  if (!version || version.string !== string || version.binary !== binary)
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

const scheduleDeletion = (secret: SecretRecord, days: number, now: number): SecretRecord => {
  if (secret.deletionAt !== undefined)
    throw new SecretError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was already scheduled for deletion.",
    );
  return { ...secret, deletionAt: now + days * DAY_MS };
};

const deleteAtOnce = async ({ store, now }: ActionContext, id: string): Promise<Answer> => {
  const gone = store.find(id);
  await store.update(id, () => undefined);
  return { ARN: gone?.arn ?? createArn(id), Name: gone?.name ?? id, DeletionDate: toSeconds(now()) };
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
    const written = readValue(input);
    const secret = await store.update(input.Name, (existing) => {
      if (existing) {
        checkRepetition(existing, written);
        return existing;
      }
      const empty = createRecord(input, now());
      return written
        ? addVersion(empty, { ...written, stages: [CURRENT], now: now(), pruneUnlabelled })
        : empty;
    });
    const { arn, name } = requireSecret(secret);
    return { ARN: arn, Name: name, ...(written && { VersionId: written.id }) };
  },

  GetSecretValue: ({ store }, { SecretId, VersionId, VersionStage }) => {
    const secret = requireUsable(store.find(SecretId));
    const { id, version } = findVersion(secret, VersionId, VersionStage);
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: id,
      ...(version.string !== undefined && { SecretString: version.string }),
      ...(version.binary !== undefined && { SecretBinary: version.binary }),
      VersionStages: version.stages,
      CreatedDate: toSeconds(version.createdAt),
    };
  },

  PutSecretValue: async ({ store, now, pruneUnlabelled }, input) => {
    const written = readValue(input);
    if (!written)
      throw new SecretError(
        'InvalidRequestException',
        'You must provide either SecretString or SecretBinary.',
      );
    const stages = input.VersionStages ?? [CURRENT];
    const secret = requireSecret(
      await store.update(input.SecretId, (existing) =>
        addVersion(requireUsable(existing), { ...written, stages, now: now(), pruneUnlabelled }),
      ),
    );
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: written.id,
      VersionStages: secret.versions[written.id]?.stages ?? [],
    };
  },

  DescribeSecret: ({ store }, { SecretId }) => {
    const secret = requireSecret(store.find(SecretId));
    return { ...describe(secret), VersionIdsToStages: listStagesByVersion(secret) };
  },

  UpdateSecretVersionStage: async ({ store, now, pruneUnlabelled }, input) => {
    const { SecretId, VersionStage: stage, RemoveFromVersionId: from, MoveToVersionId: to } = input;
    const secret = requireSecret(
      await store.update(SecretId, (existing) =>
        updateStage(requireUsable(existing), { stage, from, to, now: now(), pruneUnlabelled }),
      ),
    );
    return { ARN: secret.arn, Name: secret.name };
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

  DeleteSecret: async (world, { SecretId, RecoveryWindowInDays, ForceDeleteWithoutRecovery }) => {
    if (ForceDeleteWithoutRecovery && RecoveryWindowInDays !== undefined)
      throw invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
    if (ForceDeleteWithoutRecovery) return deleteAtOnce(world, SecretId);
    const days = RecoveryWindowInDays ?? 30;
    if (days < 7 || days > 30)
      throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
    const secret = requireSecret(
      await world.store.update(SecretId, (existing) =>
        scheduleDeletion(requireSecret(existing), days, world.now()),
      ),
    );
    return { ARN: secret.arn, Name: secret.name, DeletionDate: toSeconds(secret.deletionAt ?? 0) };
  },

  RestoreSecret: async ({ store }, { SecretId }) => {
    const secret = requireSecret(
      await store.update(SecretId, (existing) => {
        const { deletionAt: _ended, ...restored } = requireSecret(existing);
        return restored;
      }),
    );
    return { ARN: secret.arn, Name: secret.name };
  },
};
