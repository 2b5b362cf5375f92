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

type IndexedBot = Pick<Bot, 'bot_id' | 'batch_id' | 'state' | 'due_at' | 'enrolment'>;

/** `<state>#<bot_id>`, with the kind between them on the row of an enrolment: counting then reads no rows. */
const writeStateKey = ({ state, enrolment, bot_id }: IndexedBot): string =>
  enrolment ? `${state}#${enrolment.kind}#${bot_id}` : `${state}#${bot_id}`;

interface StateKey {
  readonly state: BotState;
  /** Present on the row of an enrolment only. */
  readonly kind?: Enrolment['kind'];
  readonly bot_id: string;
}

const isState = (text: string): text is BotState => (states as readonly string[]).includes(text);
const isKind = (text: string): text is Enrolment['kind'] => text === 'network_user' || text === 'sign_in';

/** Reads a `state_key`; undefined for any other text. */
export const readStateKey = (key: string): StateKey | undefined => {
  const [state = '', second = '', ...more] = key.split('#');
  if (!isState(state)) return undefined;
  const [bot_id] = more;
  if (bot_id === undefined) return { state, bot_id: second };
  return more.length === 1 && isKind(second) ? { state, kind: second, bot_id } : undefined;
};

/** The index attributes of a bot. */
export const deriveIndexAttributes = (bot: IndexedBot): Item => ({
  batch_shard: nameBatchShard(bot.batch_id, chooseShard(bot.bot_id)),
  state_key: writeStateKey(bot),
  due_shard: bot.due_at === undefined ? undefined : `due#${chooseShard(bot.bot_id)}`,
});
