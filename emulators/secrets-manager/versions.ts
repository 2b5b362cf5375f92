/** The rules of versions and staging labels: each label is on one version, and AWSCURRENT always is on one. */
import { SecretError, type SecretRecord, type SecretValue, type SecretVersion } from './record.ts';

export const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const MAX_VERSIONS = 100;
const MAX_STAGES = 20;

type Versions = SecretRecord['versions'];

/** Id of the version that carries the label, if any. */
const findHolder = (versions: Versions, stage: string): string | undefined =>
  Object.keys(versions).find((id) => versions[id]?.stages.includes(stage));

/** Takes the label from the version that has it and gives it to `to`, or to none. */
const moveLabel = (versions: Versions, stage: string, to: string | undefined): Versions =>
  Object.fromEntries(
    Object.entries(versions).map(([id, version]) => {
      const others = version.stages.filter((label) => label !== stage);
      return [id, { ...version, stages: id === to ? [...others, stage] : others }];
    }),
  );

/** As moveLabel; when AWSCURRENT leaves a version, that version becomes AWSPREVIOUS. */
const moveStage = (versions: Versions, stage: string, to: string | undefined): Versions => {
  const from = findHolder(versions, stage);
  if (from === to) return versions;
  const moved = moveLabel(versions, stage, to);
  return stage === CURRENT && from !== undefined ? moveLabel(moved, PREVIOUS, from) : moved;
};

const prune = (versions: Versions): Versions =>
  Object.fromEntries(Object.entries(versions).filter(([, { stages }]) => stages.length > 0));

const checkLimits = (versions: Versions): void => {
  const all = Object.values(versions);
  if (all.length > MAX_VERSIONS)
    throw new SecretError('LimitExceededException', 'You have exceeded the quota of versions of a secret.');
  if (all.flatMap(({ stages }) => stages).length > MAX_STAGES)
    throw new SecretError(
      'LimitExceededException',
      'You have exceeded the quota of staging labels of a secret.',
    );
};

/** What every change of the versions needs. */
interface Change {
  readonly now: number;
  readonly pruneUnlabelled: boolean;
}

const replaceVersions = (secret: SecretRecord, versions: Versions, { now, pruneUnlabelled }: Change) => {
  const remaining = pruneUnlabelled ? prune(versions) : versions;
  checkLimits(remaining);
  return { ...secret, versions: remaining, changedAt: now };
};

export const hasValue = (version: SecretVersion, value: SecretValue): boolean =>
  version.string === value.string && version.binary === value.binary;

export interface AddVersion extends Change {
  /** The ClientRequestToken. */
  readonly id: string;
  readonly value: SecretValue;
  readonly stages: readonly string[];
}

/**
 * The secret with one more version, or the very same secret when the token was used for the very same value.
 * Throws ResourceExistsException when the token was used for another value.
 */
export const addVersion = (secret: SecretRecord, add: AddVersion): SecretRecord => {
  const existing = secret.versions[add.id];
  if (existing && hasValue(existing, add.value)) return secret;
  if (existing)
    throw new SecretError(
      'ResourceExistsException',
      `You can't use ClientRequestToken ${add.id} because that value is already in use for a version of secret ${secret.arn}.`,
    );
  const isFirst = findHolder(secret.versions, CURRENT) === undefined;
  const stages = new Set(isFirst ? [CURRENT, ...add.stages] : add.stages);
  let versions: Versions = {
    ...secret.versions,
    [add.id]: { ...add.value, stages: [], createdAt: add.now },
  };
  for (const stage of stages) versions = moveStage(versions, stage, add.id);
  return replaceVersions(secret, versions, add);
};

export interface MoveStage extends Change {
  readonly stage: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

const checkMove = ({ versions }: SecretRecord, { stage, from, to }: MoveStage): void => {
  const holder = findHolder(versions, stage);
  const refuse = (message: string) => new SecretError('InvalidParameterException', message);
  if (from === undefined && to === undefined)
    throw refuse('You must provide RemoveFromVersionId, MoveToVersionId, or both.');
  if (from !== undefined && from !== holder)
    throw refuse(`The staging label ${stage} isn't attached to version ${from}.`);
  if (from === undefined && holder !== undefined && holder !== to)
    throw refuse(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  if (to === undefined && stage === CURRENT)
    throw refuse(
      `You can only move staging label ${CURRENT} to a different secret version. It can't be completely removed.`,
    );
  if (to !== undefined && !versions[to])
    throw new SecretError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret version: ${to}`,
    );
};

/** The secret with the label moved, added or removed. Throws what UpdateSecretVersionStage answers. */
export const updateStage = (secret: SecretRecord, move: MoveStage): SecretRecord => {
  checkMove(secret, move);
  return replaceVersions(secret, moveStage(secret.versions, move.stage, move.to), move);
};

/** The version that GetSecretValue means. Throws when there is none or when id and label disagree. */
export const findVersion = (
  { versions }: SecretRecord,
  id: string | undefined,
  stage: string | undefined,
): { readonly id: string; readonly version: SecretVersion } => {
  const found = id ?? findHolder(versions, stage ?? CURRENT);
  const version = found === undefined ? undefined : versions[found];
  if (found === undefined || version === undefined)
    throw new SecretError(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for ${id ? `VersionId: ${id}` : `staging label: ${stage ?? CURRENT}`}`,
    );
  if (stage !== undefined && !version.stages.includes(stage))
    throw new SecretError(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  return { id: found, version };
};
