// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are code
/**
 * The guards of the promise. Each is marked in the code, by a comment `// guard: name` above one statement, property,
 * element, argument, class member or operand, and can be cut out there (cut-guard.ts). Without its guard at least one
 * of the named test files must fail: guards.fire.ts tries it.
 */

export interface Guard {
  /** As its marker has it. */
  readonly name: string;
  /** What holds as long as it stands. */
  readonly holds: string;
  /** What is put in the place of the marked code, where the guard is more than the code's presence. */
  readonly replace?: (code: string) => string;
  /** Under test/. */
  readonly tests: readonly string[];
}

/** A guard that is found by its text and has no marker yet. */
export interface PinnedGuard {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
}

const REGISTER = 'lib/bots/register.ts';
const ENROLL = 'lib/bots/enroll.ts';
const LEASE = 'lib/bots/lease.ts';
const DECIDE = 'lib/bots/decide.ts';

const inVault = ['contract/vault.test.ts'];
const inTable = ['contract/table.test.ts'];
const inRegister = ['bots/register.test.ts'];
const inEnroll = ['bots/enroll.test.ts'];
const inIntake = ['batches/intake.test.ts'];
const inPromise = ['flow/promise.test.ts'];

const schema: readonly Guard[] = [
  {
    name: 'row-of-another-schema-is-refused',
    holds: 'A row that another version wrote is refused, never read as if nothing had been sent.',
    tests: inTable,
  },
];

const ofTheKey: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'bot-has-one-key-token',
    holds: 'A bot has one version token, so Secrets Manager accepts one key for it.',
    tests: inVault,
  },
  {
    name: 'key-token-depends-on-the-bot-alone',
    holds: 'The version token of a key depends on the bot alone.',
    replace: (code) => `${code} + Math.random()`,
    tests: inVault,
  },
  {
    name: 'key-version-has-a-label',
    holds: 'The version of the key has a label of its own, so it is not deleted as an old version.',
    tests: inVault,
  },
  {
    name: 'key-that-counts-was-read-back',
    holds: 'The key that counts is the one that was read back.',
    replace: () =>
      'const readBack = await toStoredKey({ keystore: value, version_id: keyVersionId(user_id) });',
    tests: ['aws/vault/vault.test.ts'],
  },
  {
    name: 'unreadable-key-is-an-error',
    holds: 'A key that cannot be read back is an error.',
    tests: ['aws/vault/vault.test.ts'],
  },
  {
    name: 'key-is-read-from-its-own-version',
    holds: 'The key is read from its own version, never from the current one.',
    replace: () => "{ VersionStage: 'AWSCURRENT' }",
    tests: inVault,
  },
  {
    name: 'secret-of-another-bot-is-refused',
    holds: 'A secret that holds the keystore of another bot is an error.',
    tests: inVault,
  },
  {
    name: 'list-with-another-key-changes-nothing',
    holds: 'A list that brings another spend key changes nothing.',
    tests: inVault,
  },
  {
    name: 'new-session-does-not-hide-the-key',
    holds: 'A session that is written while the key is stored does not hide the key.',
    tests: inVault,
  },
  {
    name: 'the row names the key before it is sent',
    file: REGISTER,
    find: '    await leased.write({ public_key: key.public_key, secret_version: key.secret_version });\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'a key that the row does not name is not sent',
    file: REGISTER,
    find: "  if (named !== undefined && named !== key.public_key) await endWork(work, 'block', 'key_conflict');\n",
    replace: '',
    tests: inPromise,
  },
  {
    name: 'row-names-one-key',
    holds: 'A row names one key and never another.',
    tests: inTable,
  },
  {
    name: 'nothing is believed but what GET /safe/me shows',
    file: REGISTER,
    find: "  if (!shown.has_safe) await leaveUnsure(work, 'not_confirmed', shown.request_id);\n",
    replace: '',
    tests: inPromise,
  },
];

const ofTheRow: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'of-two-writers-one-wins',
    holds: 'Of two writers that read the same row one wins.',
    tests: inTable,
  },
  {
    name: 'move-starts-from-its-states',
    holds: 'A move starts from its own states only.',
    tests: inTable,
  },
  {
    name: 'row-is-created-once',
    holds: 'A row is created once.',
    tests: inTable,
  },
  {
    name: 'resent-write-is-known',
    holds: 'A write that was sent twice is recognised as our own.',
    tests: inTable,
  },
  {
    name: 'write-of-somebody-else-is-not-ours',
    holds: 'A write of another worker is not taken for our own.',
    tests: inTable,
  },
  {
    name: 'list-is-read-once',
    holds: 'A list is read once.',
    tests: inTable,
  },
];

const ofTheCalls: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'the row notes a POST before it leaves',
    file: REGISTER,
    find: '    [sentAt]: isoTimeAfter(services.now(), 0),\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'a POST whose answer was lost stays noted',
    file: REGISTER,
    find: "    if (error.verdict === 'unsure') throw error;\n",
    replace: '',
    tests: inRegister,
  },
  {
    name: 'a PIN that Mixin said yes to is not set again',
    file: REGISTER,
    find: '  await work.leased.write({ pin_set_at: isoTimeAfter(work.services.now(), 0) });\n',
    replace: '',
    tests: inPromise,
  },
  {
    name: 'a registration that Mixin said yes to is not sent again',
    file: REGISTER,
    find: '  await work.leased.write({ safe_set_at: isoTimeAfter(work.services.now(), 0) });\n',
    replace: '',
    tests: inPromise,
  },
  {
    name: 'what was set is waited for',
    file: DECIDE,
    find: "  if (bot.pin_set_at !== undefined) return { kind: 'wait', reason: 'pin_not_visible' };\n",
    replace: '',
    tests: ['bots/decide.test.ts'],
  },
  {
    name: 'what was registered is waited for',
    file: DECIDE,
    find: "  if (bot.safe_set_at !== undefined) return { kind: 'wait', reason: 'not_confirmed' };\n",
    replace: '',
    tests: ['bots/decide.test.ts'],
  },
  {
    name: 'a POST that was lost leaves the bot in doubt',
    file: 'lib/bots/mixin-failure.ts',
    find: "  if (error.verdict === 'unsure') return { move: 'mark_unsure', reason, delaySeconds };\n",
    replace: '',
    tests: ['bots/mixin-failure.test.ts'],
  },
  {
    name: 'body-is-sent-once',
    holds: 'A body is a stream, which fetch cannot send again.',
    replace: () => 'return { body };',
    tests: ['mixin/client.test.ts'],
  },
  {
    name: 'redirect-is-not-followed',
    holds: 'A redirect is not followed.',
    tests: ['mixin/client.test.ts'],
  },
];

const ofTheLease: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'a lease that is held is respected',
    file: LEASE,
    find: '  if (busyMs > 0) return { busyMs };\n',
    replace: '',
    tests: inPromise,
  },
  {
    name: 'a worker that has lost its lease writes nothing',
    file: LEASE,
    find: "    if (fresh.lease_owner !== this.#owner) throw new LeaseLost('lease lost');\n",
    replace: '',
    tests: ['bots/lease.test.ts'],
  },
  {
    name: 'no PIN call begins that could outlive its lease: before the iterator',
    file: REGISTER,
    find: '  await requireTime(work);\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'no PIN call begins that could outlive its lease: after the iterator',
    file: REGISTER,
    find: '  await requireTime(work, { [sentAt]: sentBefore });\n',
    replace: '',
    tests: inPromise,
  },
  {
    name: 'a locked PIN is left alone',
    file: REGISTER,
    find: '  await respectPinLock(work);\n',
    replace: '',
    tests: inRegister,
  },
];

const ofTheIterator: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'the iterator is reserved before it is used',
    file: LEASE,
    find: '      pin_iterator: first + count - 1n,\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'a call with two PINs reserves two',
    file: REGISTER,
    find: '      2n,\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'the iterator grows where the clock does not',
    file: LEASE,
    find: '    if (last >= first) first = last + 1n;\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'table-takes-no-smaller-iterator',
    holds: 'The table accepts no smaller iterator.',
    tests: inTable,
  },
];

const ofSixDigits: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'a wrong PIN is noted',
    file: REGISTER,
    find: '  await work.leased.write({ wrong_pin_at: isoTimeAfter(work.services.now(), 0) });\n',
    replace: '',
    tests: inRegister,
  },
  {
    name: 'after a wrong PIN no other is tried',
    file: DECIDE,
    find: "  if (bot.wrong_pin_at !== undefined) return { kind: 'block', reason: 'wrong_pin' };\n",
    replace: '',
    tests: ['bots/decide.test.ts', ...inRegister],
  },
  {
    name: 'a wrong PIN whose answer was lost is found in the log of the account',
    file: REGISTER,
    find: 'if (sentAt !== undefined && errors.some(',
    replace: 'if (sentAt === undefined && errors.some(',
    tests: inRegister,
  },
  {
    name: 'a PIN whose answer was lost is not tried before that call is surely over',
    file: REGISTER,
    find: "  await postponeUntil(work, overAt, 'pin_not_visible');\n",
    replace: '',
    tests: inRegister,
  },
  {
    name: 'the PIN that could lock the account is not tried',
    file: REGISTER,
    find: "  await postponeUntil(work, safeAt, 'pin_nearly_locked');\n",
    replace: '',
    tests: inRegister,
  },
];

const ofEnrolments: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'the row notes the call that makes an account before it leaves',
    file: ENROLL,
    find: '  await leased.write({ account_sent_at: isoTimeAfter(services.now(), 0) });\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'a call that was noted is not made again',
    file: ENROLL,
    find: "  if (account_sent_at !== undefined) return endWork(work, 'mark_unsure', lostAnswers[enrolment.kind]);\n",
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'a call whose answer was lost is not made again',
    file: ENROLL,
    find: "    if (error.verdict === 'unsure') return endWork(work, 'mark_unsure', lostAnswers[kind], error.request_id);\n",
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'the account is noted before anything is done with it',
    file: ENROLL,
    find: '    await recordAccount(work, result.account);\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'an account that was made is noted, though the table refuses at first',
    file: ENROLL,
    find: '      if (!isOver && !(error instanceof LeaseLost)) continue;\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'no call begins that could outlive its lease: before the note',
    file: ENROLL,
    find: '  await requireTime(work);\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'no call begins that could outlive its lease: after the note',
    file: ENROLL,
    find: '  await requireTime(work, { account_sent_at: undefined });\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'the session key that is sent is the one that is kept',
    file: ENROLL,
    find: '  if (stored.stored.session_key !== session_key) return stored.stored.session_key;\n',
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'stored-session-key-is-never-replaced',
    holds: 'A stored session key is never replaced.',
    tests: inVault,
  },
  {
    name: 'unreadable-session-key-is-an-error',
    holds: 'A session key that cannot be read back is an error.',
    tests: ['aws/vault/vault.test.ts'],
  },
  {
    name: 'a new user must be new here',
    file: ENROLL,
    find: "    if (known) return endWork(work, 'block', 'user_not_new', account.request_id);\n",
    replace: '',
    tests: inEnroll,
  },
  {
    name: 'enrolment-secret-can-be-restored',
    holds: 'The secret of an enrolment can be restored.',
    replace: () => 'ForceDeleteWithoutRecovery: true',
    tests: inVault,
  },
];

const ofTheCosts: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'costs-are-planned-first',
    holds: 'A list that costs money is planned first.',
    tests: inIntake,
  },
  {
    name: 'plan-is-not-imported-by-itself',
    holds: 'A plan is not imported because its message came again.',
    tests: inIntake,
  },
  {
    name: 'all-of-the-cost-is-accepted',
    holds: 'Only accepting all of the cost confirms a plan.',
    tests: inIntake,
  },
  {
    name: 'only-a-plan-is-confirmed',
    holds: 'Only a plan can be confirmed.',
    tests: inTable,
  },
  {
    name: 'the same row of a list is the same user, however often it is taken in',
    file: 'lib/bots/enrolment.ts',
    find: '`${batch_id}#${row}`',
    replace: '`${batch_id}#${row}#${Math.random()}`',
    tests: inIntake,
  },
  {
    name: 'paying-again-is-accepted',
    holds: 'A call that may have cost money is sent again only where an operator accepts that.',
    tests: ['api/retry.test.ts'],
  },
  {
    name: 'a bot in doubt is settled by a GET, whatever an operator says',
    file: 'lib/bots/retry.ts',
    find: "  (bot.state !== 'unsure' || bot.enrolment !== undefined) &&\n",
    replace: '',
    tests: ['api/retry.test.ts'],
  },
];

const ofTheWork: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'an enrolment that ended keeps no secret',
    file: ENROLL,
    find: '  await services.vault.removeEnrolment(ended.bot_id);\n',
    replace: '',
    tests: ['fire/histories.test.ts'],
  },
  {
    name: 'an enrolment is due until its secret is gone',
    file: 'lib/model/timing.ts',
    find: "  if (state === 'enrolled') return isoTimeAfter(nowMs, timing.graceSeconds);\n",
    replace: '',
    tests: ['bots/transition.test.ts'],
  },
  {
    name: 'the sweep sends first and notes second',
    file: 'lib/bots/recheck.ts',
    find: '  await sendToStep(services, chooseStep(bot), bot);\n',
    replace: '',
    tests: inIntake,
  },
  {
    name: 'failed-entries-are-sent-again',
    holds: 'Messages that SQS refused are sent again, and only those.',
    tests: ['contract/queues.test.ts'],
  },
  {
    name: 'throttled-not-dead-lettered',
    holds: 'A message that AWS throttled does not go to the dead-letter queue.',
    tests: ['runtime/handler.test.ts'],
  },
  {
    name: 'unanswered-aws-call-is-given-up',
    holds: 'A call that AWS never answers is given up.',
    tests: ['runtime/connect.test.ts'],
  },
];

const ofTheSecrets: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'json-error-carries-no-secret',
    holds: 'An error of JSON.parse carries no secret.',
    replace: () => 'return JSON.parse(text);',
    tests: inVault,
  },
  {
    name: 'log-has-allowed-fields-only',
    holds: 'A log line has no field that is not allowed.',
    replace: () => 'Object.assign(line, all);',
    tests: ['runtime/log.test.ts'],
  },
  {
    name: 'error-is-named-not-quoted',
    holds: 'A log line names an error and does not quote it.',
    replace: () => 'const words = [inner.message];',
    tests: ['runtime/handler.test.ts'],
  },
];

const SECRETS = ['flow/secrets.test.ts'];

/** Leaks, put in on purpose. */
const ofTheCanary: readonly (Guard | PinnedGuard)[] = [
  {
    name: 'leak: a crash logs the body of its message',
    file: 'lib/runtime/middlewares/crashed-messages.ts',
    find: "'record_crashed', { message_id, receive_count, error: findErrorCode(error) });",
    replace: "'record_crashed', { message_id, receive_count, error: record.body });",
    tests: SECRETS,
  },
  {
    name: 'leak: a crash logs the text of its error',
    file: 'lib/runtime/middlewares/crashed-messages.ts',
    find: "'record_crashed', { message_id, receive_count, error: findErrorCode(error) });",
    replace: "'record_crashed', { message_id, receive_count, error: String(error) });",
    tests: SECRETS,
  },
  {
    name: 'leak: a PIN stands on the row',
    file: 'lib/batches/import-chunk.ts',
    find: 'entry: { bot_id, session_id, row_digest }',
    replace: 'entry: { bot_id, session_id, row_digest: keystore.pin ?? row_digest }',
    tests: SECRETS,
  },
  {
    name: 'leak: a code stands on the row of its sign-in',
    file: 'lib/batches/import-chunk.ts',
    find: "const entry = { bot_id, enrolment, row_digest: 'sign_in' };",
    replace: 'const entry = { bot_id, enrolment, row_digest: sign_in.code };',
    tests: SECRETS,
  },
  {
    name: 'leak: the error of a row quotes the value',
    file: 'lib/lists/row-enrolment.ts',
    find: "'It is not a code of four to eight digits.',",
    replace: '`It is not a code: ${toDigits(value)}`,',
    tests: SECRETS,
  },
  {
    name: 'leak: the API tells the text of an unexpected error',
    file: 'lib/runtime/middlewares/problem-documents.ts',
    find: "problem('internal_error')",
    replace: "problem('internal_error', { message: String(error) })",
    tests: SECRETS,
  },
  {
    name: 'chunk-is-removed',
    holds: 'An imported chunk does not stay in the bucket.',
    tests: SECRETS,
  },
  {
    name: 'leak: the command line prints what the API was sent',
    file: 'cli/commands/sign-in.ts',
    find: '  const asked = await api.requestCode({ phone, ...wish.codeFields })',
    replace:
      '  call.output.note(JSON.stringify(wish));\n  const asked = await api.requestCode({ phone, ...wish.codeFields })',
    tests: SECRETS,
  },
  {
    name: 'leak: a message carries a keystore',
    file: 'lib/bots/check.ts',
    find: '  const profile = await readProfile(services, bot, stored.keystore);\n',
    replace:
      "  const profile = await readProfile(services, bot, stored.keystore);\n  await services.queues.send('check', [{ body: { note: JSON.stringify(stored.keystore) } }]);\n",
    tests: SECRETS,
  },
];

const all = [
  ...schema,
  ...ofTheKey,
  ...ofTheRow,
  ...ofTheCalls,
  ...ofTheLease,
  ...ofTheIterator,
  ...ofSixDigits,
  ...ofEnrolments,
  ...ofTheCosts,
  ...ofTheWork,
  ...ofTheSecrets,
  ...ofTheCanary,
];

const isPinned = (guard: Guard | PinnedGuard): guard is PinnedGuard => 'find' in guard;
export const guards: readonly Guard[] = all.filter((guard) => !isPinned(guard)) as Guard[];
export const pinnedGuards: readonly PinnedGuard[] = all.filter(isPinned);
