/** The attributes by which the indexes find a bot. They follow from the bot's own attributes. */
import type { Bot } from '../../model/bot.ts';
import { table } from '../../model/deployment.ts';
import type { Enrolment } from '../../model/enrolment.ts';
import { type BotState, states } from '../../model/states.ts';
import type { Item } from './items.ts';

/** The index partitions. */
export const shards: readonly number[] = Array.from({ length: table.shards }, (_, shard) => shard);

/** The index partition of a bot. Ids are random, so their first digits spread evenly. */
export const chooseShard = (bot_id: string): number => Number.parseInt(bot_id.slice(0, 2), 16) % table.shards;

/** The key of the bots of one batch in one index partition. */
export const nameBatchShard = (batch_id: string, shard: number): string => `${batch_id}#${shard}`;

type IndexedBot = Pick<Bot, 'bot_id' | 'batch_id' | 'row' | 'line' | 'state' | 'due_at' | 'enrolment'>;

interface Place {
  readonly row: number;
  readonly bot_id: string;
}

const PLACE = /^(\d{9})#([0-9a-f-]{36})$/;

/** Where the bot is in its list: places sort as the rows of the list do. */
export const writePlace = ({ row, bot_id }: Place): string => `${String(row).padStart(9, '0')}#${bot_id}`;

export const placeBot = ({ row, line, bot_id }: Pick<Bot, 'row' | 'line' | 'bot_id'>): string =>
  writePlace({ row: row ?? line, bot_id });

/** Reads what `writePlace` wrote; undefined for any other text. */
export const readPlace = (place: string): Place | undefined => {
  const [, row, bot_id] = PLACE.exec(place) ?? [];
  return row === undefined || bot_id === undefined ? undefined : { row: Number(row), bot_id };
};

/** `<place>#<state>`, and the kind after them on the row of an enrolment: counting then reads no rows. */
const writeStateKey = (bot: IndexedBot): string =>
  [placeBot(bot), bot.state, ...(bot.enrolment ? [bot.enrolment.kind] : [])].join('#');

export interface StateKey extends Place {
  readonly state: BotState;
  /** Present on the row of an enrolment only. */
  readonly kind?: Enrolment['kind'];
}

const isState = (text: string): text is BotState => (states as readonly string[]).includes(text);
const isKind = (text: string): text is Enrolment['kind'] => text === 'network_user' || text === 'sign_in';

/** Reads a `state_key`; undefined for any other text. */
export const readStateKey = (key: string): StateKey | undefined => {
  const [row, bot_id, state = '', kind, ...more] = key.split('#');
  const place = readPlace(`${row}#${bot_id}`);
  if (!place || !isState(state) || more.length > 0) return undefined;
  if (kind === undefined) return { ...place, state };
  return isKind(kind) ? { ...place, state, kind } : undefined;
};

/** The index attributes of a bot. */
export const deriveIndexAttributes = (bot: IndexedBot): Item => ({
  batch_shard: nameBatchShard(bot.batch_id, chooseShard(bot.bot_id)),
  state_key: writeStateKey(bot),
  due_shard: bot.due_at === undefined ? undefined : `due#${chooseShard(bot.bot_id)}`,
});
