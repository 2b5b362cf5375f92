/** What lies in the table and in the vault, read past the code that wrote it. */
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { derivePublicKeys } from '../../../infra/local/custody.ts';
import type { World } from './world.ts';

/** A row of a bot or an enrolment, as far as a judge asks for it. */
export interface RowSeen {
  readonly user_id: string;
  readonly batch_id: string;
  readonly state: string;
  readonly reason?: { readonly code: string; readonly message: string; readonly fix: string };
  readonly public_key?: string;
  readonly due_at?: string;
  readonly wrong_pin_at?: string;
  readonly enrolment?: { readonly kind: string; readonly full_name?: string; readonly owner?: string };
  readonly account?: { readonly user_id: string };
  readonly revision: number;
}

type Seen = Pick<World, 'grounds' | 'name'>;

const itemsOf = async ({ grounds, name }: Seen): Promise<readonly Record<string, unknown>[]> => {
  const { Items = [] } = await grounds.table.send(new ScanCommand({ TableName: name, ConsistentRead: true }));
  return Items;
};

export const rowsOf = async (seen: Seen): Promise<readonly RowSeen[]> =>
  (await itemsOf(seen)).filter(({ pk }) => String(pk).startsWith('bot#')) as unknown as RowSeen[];

/** Where each list stands, by its batch. */
export const listsOf = async (seen: Seen): Promise<ReadonlyMap<string, string>> => {
  const batches = (await itemsOf(seen)).filter(({ sk }) => sk === 'batch');
  return new Map(batches.map(({ batch_id, status }) => [String(batch_id), String(status)]));
};

/** Something is still to happen to it by itself. */
export const isOpen = ({ state, enrolment, due_at }: RowSeen): boolean =>
  ['queued', 'enrolling', 'registering', 'waiting'].includes(state) ||
  (state === 'unsure' && !enrolment) ||
  (state === 'enrolled' && due_at !== undefined);

/** What the vault holds for a bot. */
export interface SecretSeen {
  readonly session_id: string;
  readonly pin?: string;
  /** Public halves of the spend key: of the current keystore and of the version that is the key's own. */
  readonly spend: readonly string[];
  /** … of a listed one that may be a seed or a scalar. */
  readonly listed: readonly string[];
  readonly tip: readonly string[];
}

type Fields = Readonly<Record<string, string | undefined>>;

/** Where the key's own version hangs: lib/aws/vault/vault.ts. */
const KEY_LABEL = 'ENLIST_KEY';

/** What a secret that is not there, or not any more, is answered with. */
const absent: readonly string[] = ['ResourceNotFoundException', 'InvalidRequestException'];

const readVersion = async ({ grounds, name }: Seen, secret: string, VersionStage: string) => {
  const command = new GetSecretValueCommand({ SecretId: `${name}/${secret}`, VersionStage });
  const { SecretString } = await grounds.secrets.send(command).catch((error: unknown) => {
    if (error instanceof Error && absent.includes(error.name)) return { SecretString: undefined };
    throw error;
  });
  return SecretString === undefined ? undefined : (JSON.parse(SecretString) as Fields);
};

const publicOf = (key: string | undefined): readonly string[] =>
  key === undefined ? [] : derivePublicKeys(key);

/** A spend key in the vault is a seed, or says that it is a scalar. */
const spendOf = (fields: Fields | undefined): readonly string[] =>
  publicOf(fields?.spend_private_key).slice(0, 1);

export const secretOf = async (seen: Seen, user_id: string): Promise<SecretSeen | undefined> => {
  const current = await readVersion(seen, user_id, 'AWSCURRENT');
  if (!current) return undefined;
  const own = await readVersion(seen, user_id, KEY_LABEL);
  return {
    session_id: String(current.session_id),
    ...(current.pin !== undefined && { pin: current.pin }),
    spend: [...new Set([...spendOf(own), ...spendOf(current)])],
    listed: publicOf(current.spend_key),
    tip: publicOf(current.tip_private_key),
  };
};

/** Does the vault hold the secret of an enrolment? */
export const isEnrolmentKept = async (seen: Seen, enrolment_id: string): Promise<boolean> =>
  (await readVersion(seen, `enrolment/${enrolment_id}`, 'AWSCURRENT')) !== undefined;
