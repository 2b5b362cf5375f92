/**
 * Log lines: one JSON object a line, a stable code for queries and a sentence for people. Only the fields
 * named here can be logged, so a key, a token or a whole event cannot slip in.
 */
export const logMessages = {
  bot_moved: 'A bot changed its state.',
  audit_finding: 'A bot at rest was looked at again, and something needs hands.',
  bot_unknown: 'A message names a bot that has no row; it is dropped.',
  lost_race: 'Another worker was first; this one leaves the bot alone.',
  lease_held: 'Another worker makes PIN calls for this bot; the message comes back later.',
  batch_received: 'A list was received.',
  inbox_gone: 'S3 told of a list in the inbox that is not there any more.',
  list_read: 'A list was read and validated.',
  code_requested: 'Mixin was asked to send a code to a phone.',
  account_not_recorded: 'Mixin made an account, and its row could not be told: the row will be in doubt.',
  plan_confirmed: 'An operator accepted what a list costs.',
  list_rejected: 'A list cannot be read at all.',
  chunk_imported: 'A chunk of a list was taken in.',
  swept: 'The sweep queued what was due.',
  record_crashed: 'A message crashed its handler; it comes back, or goes to the dead-letter queue.',
  record_throttled: 'AWS throttled a step; its message comes back, and nothing is lost.',
  request_throttled: 'AWS throttled an HTTP request, which may be made again.',
  request_failed: 'An HTTP request met an unexpected error.',
} as const;
export type LogCode = keyof typeof logMessages;

export interface LogFields {
  readonly step?: string;
  readonly bot_id?: string;
  readonly batch_id?: string;
  readonly request_id?: string;
  readonly message_id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly reason?: string;
  readonly error?: string;
  readonly count?: number;
  readonly receive_count?: number;
}

export type Level = 'info' | 'warn' | 'error';
export type Log = (level: Level, code: LogCode, fields?: LogFields) => void;

export const allowedFields: ReadonlyArray<keyof LogFields> = [
  'step',
  'bot_id',
  'batch_id',
  'request_id',
  'message_id',
  'from',
  'to',
  'reason',
  'error',
  'count',
  'receive_count',
];
