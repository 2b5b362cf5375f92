/** What the table and the vault hold, read without the code that wrote it. */
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { derivePublicKeys } from '../../../infra/local/key-counts.ts';
import type { World } from './world.ts';

/** A row of a bot or an enrolment, as far as the checks need it. */
export interface StoredRow {
  readonly bot_id: string;
  readonly batch_id: string;
  readonly state: string;
  readonly state_since: string;
  readonly reason?: { readonly code: string; readonly message: string; readonly fix: string };
  readonly public_key?: string;
  readonly due_at?: string;
  readonly wrong_pin_at?: string;
  readonly enrolment?: { readonly kind: string; readonly full_name?: string; readonly owner?: string };
  readonly account?: { readonly user_id: string };
  readonly revision: number;
}

type Place = Pick<World, 'shared' | 'name'>;

const readItems = async ({ shared, name }: Place): Promise<readonly Record<string, unknown>[]> => {
  const { Items = [] } = await shared.table.send(new ScanCommand({ TableName: name, ConsistentRead: true }));
  return Items;
};

export const readRows = async (place: Place): Promise<readonly StoredRow[]> =>
  (await readItems(place)).filter(({ pk }) => String(pk).startsWith('bot#')) as unknown as StoredRow[];

/** The status of each batch. */
export const readBatchStatuses = async (place: Place): Promise<ReadonlyMap<string, string>> => {
  const batches = (await readItems(place)).filter(({ sk }) => sk === 'batch');
  return new Map(batches.map(({ batch_id, status }) => [String(batch_id), String(status)]));
};

/** Something will still happen to it by itself. */
export const isUnfinished = ({ state, enrolment, due_at }: StoredRow): boolean =>
  ['queued', 'enrolling', 'registering', 'waiting'].includes(state) ||
  (state === 'unsure' && !enrolment) ||
  (state === 'enrolled' && due_at !== undefined);

/** What the vault holds for a bot. */
export interface StoredSecret {
  readonly session_id: string;
  readonly pin?: string;
  /** Public halves of the spend key: of the current keystore and of the version that is the key's own. */
  readonly spend: readonly string[];
  /** … of a key in the row's form, which may be a seed or a scalar. */
  readonly listed: readonly string[];
  readonly tip: readonly string[];
}

type Fields = Readonly<Record<string, string | undefined>>;

/** The staging label of the key's own version: lib/aws/vault/vault.ts. */
const KEY_LABEL = 'ENLIST_KEY';

/** The errors for a secret that does not exist, or was deleted. */
const absent: readonly string[] = ['ResourceNotFoundException', 'InvalidRequestException'];

const readVersion = async ({ shared, name }: Place, secret: string, VersionStage: string) => {
  const command = new GetSecretValueCommand({ SecretId: `${name}/${secret}`, VersionStage });
  const { SecretString } = await shared.secrets.send(command).catch((error: unknown) => {
    if (error instanceof Error && absent.includes(error.name)) return { SecretString: undefined };
    throw error;
  });
  return SecretString === undefined ? undefined : (JSON.parse(SecretString) as Fields);
};

const deriveListedKeys = (key: string | undefined): readonly string[] =>
  key === undefined ? [] : derivePublicKeys(key);

/** A spend key in the vault is a seed, or marked as a scalar. */
const deriveSpendKey = (fields: Fields | undefined): readonly string[] =>
  deriveListedKeys(fields?.spend_private_key).slice(0, 1);

export const readSecret = async (place: Place, user_id: string): Promise<StoredSecret | undefined> => {
  const current = await readVersion(place, user_id, 'AWSCURRENT');
  if (!current) return undefined;
  const own = await readVersion(place, user_id, KEY_LABEL);
  return {
    session_id: String(current.session_id),
    ...(current.pin !== undefined && { pin: current.pin }),
    spend: [...new Set([...deriveSpendKey(own), ...deriveSpendKey(current)])],
    listed: deriveListedKeys(current.spend_key),
    tip: deriveListedKeys(current.tip_private_key),
  };
};

/** Does the vault hold the secret of an enrolment? */
export const hasEnrolmentSecret = async (place: Place, enrolment_id: string): Promise<boolean> =>
  (await readVersion(place, `enrolment/${enrolment_id}`, 'AWSCURRENT')) !== undefined;
