/** All secrets: finds them by name or ARN and replaces them one writer at a time. */
import type { SecretStorage } from './files.ts';
import { SecretError, type SecretRecord } from './record.ts';

export interface SecretStore {
  /** The record, or undefined. `id` is a name, an ARN, or an ARN without its random ending. */
  find(id: string): SecretRecord | undefined;
  /** All records, newest last. */
  list(): readonly SecretRecord[];
  /**
   * Replaces a secret by what `change` returns (undefined removes it). Changes of one secret run one after
   * the other, and each is stored before a reader sees it. Nothing changes when `change` or the storage throws.
   */
  update<T extends SecretRecord | undefined>(
    id: string,
    change: (secret: SecretRecord | undefined) => T,
  ): Promise<T>;
}

const readName = (id: string): string => id.replace(/^arn:aws:secretsmanager:[^:]*:[^:]*:secret:/, '');

type Position = Pick<SecretRecord, 'createdAt' | 'name'>;

/** The order of lists: by age, and by name where two are as old. */
export const comesBefore = (a: Position, b: Position): boolean =>
  a.createdAt < b.createdAt || (a.createdAt === b.createdAt && a.name < b.name);

/** Opens the store with the secrets of the storage. `now` is in milliseconds. */
export const openSecretStore = async (storage: SecretStorage, now: () => number): Promise<SecretStore> => {
  const records = new Map((await storage.load()).map((record) => [record.name, record]));
  const queues = new Map<string, Promise<unknown>>();

  const isGone = ({ deletionAt }: SecretRecord) => deletionAt !== undefined && deletionAt <= now();

  const resolveName = (id: string): string => {
    const name = readName(id);
    if (name === id || records.has(name)) return name;
    return name.replace(/-[A-Za-z0-9]{6}$/, '');
  };

  const find = (id: string) => {
    const record = records.get(resolveName(id));
    return record && !isGone(record) ? record : undefined;
  };

  for (const record of records.values())
    if (isGone(record)) {
      await storage.remove(record.name);
      records.delete(record.name);
    }

  const replace = async (name: string, next: SecretRecord | undefined) => {
    if (next) {
      await storage.save(next);
      records.set(name, next);
    } else if (records.has(name)) {
      await storage.remove(name);
      records.delete(name);
    }
  };

  const runInTurn = <T>(name: string, work: () => Promise<T>): Promise<T> => {
    const turn = (queues.get(name) ?? Promise.resolve()).then(work);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (queues.get(name) === settled) queues.delete(name);
      });
    queues.set(name, settled);
    return turn;
  };

  return {
    find,
    list: () =>
      [...records.values()].filter((record) => !isGone(record)).sort((a, b) => (comesBefore(a, b) ? -1 : 1)),
    update: (id, change) => {
      const name = resolveName(id);
      return runInTurn(name, async () => {
        const before = find(name);
        const after = change(before);
        if (after !== before) await replace(name, after);
        return after;
      });
    },
  };
};

/** The secret, for reading and writing. Throws when there is none or when it is scheduled for deletion. */
export const requireUsable = (secret: SecretRecord | undefined): SecretRecord => {
  const existing = requireSecret(secret);
  if (existing.deletionAt !== undefined)
    throw new SecretError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
    );
  return existing;
};

/** The secret. Throws ResourceNotFoundException when there is none. */
export const requireSecret = (secret: SecretRecord | undefined): SecretRecord => {
  if (!secret)
    throw new SecretError('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");
  return secret;
};
