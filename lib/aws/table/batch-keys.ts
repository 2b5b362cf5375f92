/**
 * The bots of a batch in the order of its list, by their keys alone: those that count in it, from the index, and those
 * that a later list named, from the notes that their move left.
 */
import type { Item, Items } from './items.ts';
import { nameBatchShard, readPlace, readStateKey, type StateKey, shards, writePlace } from './state-index.ts';

/** Where a bot is in a list, and which bot it is. */
export interface BatchKey {
  readonly place: string;
  readonly bot_id: string;
  /** Absent for a bot that another batch follows now. */
  readonly index?: StateKey;
}

const FOLLOWED = 'followed#';

/** The note that a batch keeps of a bot which another batch follows now. */
export const followedKey = (batch_id: string, place: string) => ({
  pk: `batch#${batch_id}`,
  sk: `${FOLLOWED}${place}`,
});

const toIndexKey = ({ state_key }: Item): BatchKey => {
  const index = readStateKey(String(state_key));
  if (!index) throw new Error('the index holds a key that this version of Enlist did not write');
  return { place: writePlace(index), bot_id: index.bot_id, index };
};

const toFollowedKey = ({ sk }: Item): BatchKey => {
  const place = readPlace(String(sk).slice(FOLLOWED.length));
  if (!place) throw new Error('the table holds a key that this version of Enlist did not write');
  return { place: writePlace(place), bot_id: place.bot_id };
};

/** Sorts after every key that begins with the place, and before every other. */
const endOf = (place: string) => `${place}~`;

/** @param after the place of the last key that is not wanted any more */
const queryShard = (TableName: string, batch_id: string, shard: number, after: string | undefined) => ({
  TableName,
  IndexName: 'by_batch',
  KeyConditionExpression: `batch_shard = :shard${after === undefined ? '' : ' AND state_key > :after'}`,
  ExpressionAttributeValues: {
    ':shard': nameBatchShard(batch_id, shard),
    ...(after !== undefined && { ':after': endOf(after) }),
  },
});

const queryFollowed = (TableName: string, batch_id: string, after: string | undefined) => ({
  TableName,
  KeyConditionExpression: 'pk = :pk AND sk BETWEEN :after AND :end',
  ExpressionAttributeValues: {
    ':pk': `batch#${batch_id}`,
    ':after': `${FOLLOWED}${after === undefined ? '' : endOf(after)}`,
    ':end': `${FOLLOWED}~`,
  },
});

async function* map<T, R>(items: AsyncIterable<T>, change: (item: T) => R) {
  for await (const item of items) yield change(item);
}

/** Merges sources that are each in the order of their places. */
async function* merge(sources: readonly AsyncIterator<BatchKey>[]) {
  const heads = await Promise.all(sources.map((source) => source.next()));
  for (;;) {
    let first: { readonly key: BatchKey; readonly i: number } | undefined;
    for (const [i, { done, value: key }] of heads.entries()) {
      if (!done && (!first || key.place < first.key.place)) first = { key, i };
    }
    const source = first && sources[first.i];
    if (!first || !source) return;
    yield first.key;
    heads[first.i] = await source.next();
  }
}

interface KeyQuery {
  readonly batch_id: string;
  /** Bots that another batch follows now too. */
  readonly withFollowed: boolean;
  /** The place of the last key of the page before. */
  readonly after: string | undefined;
  /** How many keys each query asks for; undefined for as many as DynamoDB gives. */
  readonly pageSize: number | undefined;
}

/** The keys of a batch in the order of its list, page by page as they are asked for. */
export const readKeysInOrder = (
  TableName: string,
  { queryItems }: Items,
  { batch_id, withFollowed, after, pageSize }: KeyQuery,
): AsyncIterable<BatchKey> => {
  const limit = pageSize === undefined ? {} : { Limit: pageSize };
  const counted = shards.map((shard) =>
    map(queryItems({ ...queryShard(TableName, batch_id, shard, after), ...limit }), toIndexKey),
  );
  const followed = queryItems({ ...queryFollowed(TableName, batch_id, after), ...limit });
  return merge(withFollowed ? [...counted, map(followed, toFollowedKey)] : counted);
};

/** All keys of the bots that count in a batch, in no order. */
export const readIndexKeys = async (
  TableName: string,
  { queryAll }: Items,
  batch_id: string,
): Promise<readonly StateKey[]> => {
  const pages = await Promise.all(
    shards.map((shard) =>
      queryAll({ ...queryShard(TableName, batch_id, shard, undefined), ProjectionExpression: 'state_key' }),
    ),
  );
  return pages.flat().flatMap((item) => toIndexKey(item).index ?? []);
};

/** Which batch a bot of this batch went to, by bot. */
export const readFollowed = async (
  TableName: string,
  { queryAll }: Items,
  batch_id: string,
): Promise<ReadonlyMap<string, string>> => {
  const notes = await queryAll({
    ...queryFollowed(TableName, batch_id, undefined),
    ProjectionExpression: 'bot_id, followed_by',
  });
  return new Map(notes.map(({ bot_id, followed_by }) => [String(bot_id), String(followed_by)]));
};
