/**
 * Queues, functions, table and schedules as plain data. The stack on AWS (infra/aws) and the embedded one
 * (infra/local) both read it, so a batch size or a timeout cannot differ between them.
 */

/** A queue and the function that receives its messages have the name of the step. */
export const queueNames = ['intake', 'enroll', 'check', 'register'] as const;
export type QueueName = (typeof queueNames)[number];

export const functionNames = ['api', 'accounts', 'intake', 'enroll', 'check', 'register', 'recheck'] as const;
export type FunctionName = (typeof functionNames)[number];

interface FunctionShape {
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

export const functions: Readonly<Record<FunctionName, FunctionShape>> = {
  api: { timeoutSeconds: 29, memoryMb: 512 },
  accounts: { timeoutSeconds: 29, memoryMb: 512 },
  intake: { timeoutSeconds: 180, memoryMb: 1769 },
  enroll: { timeoutSeconds: 30, memoryMb: 512 },
  check: { timeoutSeconds: 30, memoryMb: 512 },
  register: { timeoutSeconds: 30, memoryMb: 512 },
  recheck: { timeoutSeconds: 60, memoryMb: 512 },
};

export interface QueueShape {
  /** The most messages that one invocation gets. */
  readonly batchSize: number;
  /** The most invocations that run at once (Lambda's MaximumConcurrency, 2 or more). */
  readonly maxConcurrency: number;
  /** AWS recommends at least six times the timeout of the function. */
  readonly visibilityTimeoutSeconds: number;
  /** How often a message is delivered before it goes to the dead-letter queue. */
  readonly maxReceiveCount: number;
  readonly retentionSeconds: number;
}

export const DAY_SECONDS = 86_400;

const queue = (name: QueueName, batchSize: number, maxConcurrency: number): QueueShape => ({
  batchSize,
  maxConcurrency,
  visibilityTimeoutSeconds: 6 * functions[name].timeoutSeconds,
  maxReceiveCount: 5,
  retentionSeconds: 4 * DAY_SECONDS,
});

export const queues: Readonly<Record<QueueName, QueueShape>> = {
  intake: queue('intake', 1, 2),
  /** Few at once: all users of one owner are created with the owner's session. */
  enroll: queue('enroll', 5, 2),
  check: queue('check', 10, 5),
  register: queue('register', 5, 5),
};

/** The age of a message counts from its first queue, so a dead-letter queue must keep messages for longer. */
export const deadLetterRetentionSeconds = 14 * DAY_SECONDS;

/** The name of a queue's dead-letter queue. */
export const nameDeadLetterQueue = (name: QueueName): string => `${name}-dead-letters`;

/**
 * After how many seconds a message that crashed comes back: 1, 2, 4, 8 … in place of the whole visibility timeout.
 * After its last delivery it goes to the dead-letter queue at once.
 */
export const computeCrashRetrySeconds = (name: QueueName, receiveCount: number): number =>
  receiveCount >= queues[name].maxReceiveCount ? 1 : 2 ** Math.max(0, receiveCount - 1);

/**
 * Does a new message take the place of one that was delivered so often while AWS was unavailable? One delivery is left
 * for the case that no new one can be sent.
 */
export const isReplacedAfter = (name: QueueName, receiveCount: number): boolean =>
  receiveCount >= queues[name].maxReceiveCount - 1;

/** The longest pause of a message while AWS is unavailable. */
const UNAVAILABLE_PAUSE_SECONDS = 60;

/** After how many seconds a message is delivered again while AWS is unavailable: 1, 3, 9, and 60 for the new message. */
export const computeUnavailablePauseSeconds = (name: QueueName, receiveCount: number): number =>
  isReplacedAfter(name, receiveCount) ? UNAVAILABLE_PAUSE_SECONDS : 3 ** Math.max(0, receiveCount - 1);

export const table = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: {
    /** All bots of a batch, in the order of its list: `batch_shard` = `<batch_id>#<shard>`, `state_key` = `<row>#<bot_id>#<state>`. */
    by_batch: { partitionKey: 'batch_shard', sortKey: 'state_key', projection: 'KEYS_ONLY' },
    /** Bots that are due: `due_shard` = `due#<shard>`, `due_at` = ISO time. Sparse. */
    by_due: { partitionKey: 'due_shard', sortKey: 'due_at', projection: 'KEYS_ONLY' },
  },
  /** Partitions of each index. They stay below DynamoDB's 1,000 writes a second, up to 1,000 moves a second. */
  shards: 8,
} as const;

export const schedules = {
  recheck: { everySeconds: 60 },
} as const;
