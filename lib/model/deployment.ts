/**
 * The shape of the system as plain data: queues, functions, table and schedules.
 * The cloud stack (infra/aws) and the embedded one (infra/local) both read it, so a batch size or a
 * time-out cannot differ between them.
 */

/** A queue and the function that drains it carry the step's name. */
export const queueNames = ['intake', 'enroll', 'check', 'register'] as const;
export type QueueName = (typeof queueNames)[number];

export const functionNames = ['api', 'accounts', 'intake', 'enroll', 'check', 'register', 'recheck'] as const;
export type FunctionName = (typeof functionNames)[number];

export interface FunctionShape {
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
  /** How many messages one invocation gets at most. */
  readonly batchSize: number;
  /** How many invocations run at once at most (Lambda's MaximumConcurrency, 2 or more). */
  readonly maxConcurrency: number;
  /** AWS asks for at least six times the function's time-out. */
  readonly visibilityTimeoutSeconds: number;
  /** Deliveries of one message before it goes to the dead-letter queue. */
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
  /** Few at once: the users of one owner are all created with its session. */
  enroll: queue('enroll', 5, 2),
  check: queue('check', 10, 5),
  register: queue('register', 5, 5),
};

/** A message's age counts from its first queue, so a dead-letter queue must keep it longer than that one. */
export const deadLetterRetentionSeconds = 14 * DAY_SECONDS;

/** Name of a queue's dead-letter queue. */
export const deadLetterName = (name: QueueName): string => `${name}-dead-letters`;

/**
 * A crashed message comes back after 1, 2, 4, 8 … seconds instead of the whole visibility time-out; after its
 * last delivery it goes to the dead letters at once.
 */
export const crashRetrySeconds = (name: QueueName, receiveCount: number): number =>
  receiveCount >= queues[name].maxReceiveCount ? 1 : 2 ** Math.max(0, receiveCount - 1);

/** A message that AWS throttled at its last delivery is sent anew, and comes after this time. */
export const throttledPauseSeconds = 30;

export const table = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: {
    /** All bots of a batch, by state: `batch_shard` = `<batch_id>#<shard>`, `state_key` = `<state>#<bot_id>`. */
    by_batch: { partitionKey: 'batch_shard', sortKey: 'state_key', projection: 'KEYS_ONLY' },
    /** What is due for another look: `due_shard` = `due#<shard>`, `due_at` = ISO time. Sparse. */
    by_due: { partitionKey: 'due_shard', sortKey: 'due_at', projection: 'KEYS_ONLY' },
  },
  /** Index partitions; keeps each below DynamoDB's 1,000 writes a second at 1,000 moves a second. */
  shards: 8,
} as const;

export const schedules = {
  recheck: { everySeconds: 60 },
} as const;
