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

const inVault = ['contract/vault.test.ts'];
const inTable = ['contract/table.test.ts'];
const inRegister = ['bots/register.test.ts'];
const inEnroll = ['bots/enroll.test.ts'];
const inIntake = ['batches/intake.test.ts'];
const inPromise = ['flow/promise.test.ts'];
const inSecrets = ['flow/secrets.test.ts'];

const keyGuards: readonly Guard[] = [
  {
    name: 'current-version-is-compared-with-its-key',
    holds: 'A current version that lacks the key is written again.',
    tests: inVault,
  },
  {
    name: 'tip-key-keeps-a-label',
    holds: 'The version of a TIP key that is replaced keeps a label, so it is not deleted.',
    tests: inVault,
  },
  {
    name: 'newest-session-is-current',
    holds: 'A session that was written over by an older one becomes current again.',
    replace: () => 'const session = current;',
    tests: inVault,
  },
  {
    name: 'only-the-named-key-is-stored',
    holds: 'Where the row names a key, no other is stored.',
    tests: inVault,
  },
  {
    name: 'list-has-the-key-of-the-row',
    holds: 'A list with another key than the row names stores nothing.',
    replace: () => 'const chosen = given;',
    tests: inVault,
  },
  {
    name: 'list-with-another-tip-key-changes-nothing',
    holds: 'A list replaces a TIP key only after Mixin has refuted it.',
    tests: inVault,
  },
  {
    name: 'older-list-loses',
    holds: 'A list that comes late does not replace the session of a later list.',
    replace: () => 'const isSuperseded = false;',
    tests: inVault,
  },
  {
    name: 'audit-restores-current',
    holds: 'An audit has the key restored to a current version that lacks it.',
    tests: inRegister,
  },
  {
    name: 'verdict-counts-for-its-session',
    holds: 'What a check found with one session does not block a bot that has another by now.',
    tests: inRegister,
  },
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
      'const readBack = await toStoredKey({ keystore: value, version_id: deriveKeyVersionId(user_id) });',
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
    name: 'row-names-key',
    holds: 'The row names the key before it is sent.',
    tests: inRegister,
  },
  {
    name: 'row-and-vault-agree',
    holds: 'A key that the row does not name is not sent.',
    tests: inPromise,
  },
  {
    name: 'row-names-one-key',
    holds: 'A row names one key and never another.',
    tests: inTable,
  },
  {
    name: 'believe-only-get',
    holds: 'A registration counts only when GET /safe/me shows it.',
    tests: inPromise,
  },
];

const rowGuards: readonly Guard[] = [
  {
    name: 'row-of-another-schema-is-refused',
    holds: 'A row that another version wrote is refused, never read as if nothing had been sent.',
    tests: inTable,
  },
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
  {
    name: 'one-reading-counts',
    holds: 'Once a reading of a list is recorded, no other reading of it is.',
    tests: inTable,
  },
  {
    name: 'key-belongs-to-one-list',
    holds: 'Of two lists under one Idempotency-Key the second one is refused, also at the same moment.',
    tests: ['api/api.test.ts'],
  },
];

const callGuards: readonly Guard[] = [
  {
    name: 'note-post-before-send',
    holds: 'The row notes a POST before it is sent.',
    tests: inRegister,
  },
  {
    name: 'lost-post-stays-noted',
    holds: 'A POST whose answer was lost stays noted.',
    tests: inRegister,
  },
  {
    name: 'note-pin-set',
    holds: 'A PIN that Mixin accepted is not set again.',
    tests: inPromise,
  },
  {
    name: 'note-safe-set',
    holds: 'A registration that Mixin accepted is not sent again.',
    tests: inPromise,
  },
  {
    name: 'wait-for-pin',
    holds: 'A PIN that was set is waited for until Mixin shows it.',
    tests: ['bots/decide.test.ts'],
  },
  {
    name: 'wait-for-safe',
    holds: 'A registration is waited for until Mixin shows it.',
    tests: ['bots/decide.test.ts'],
  },
  {
    name: 'unsure-after-lost-answer',
    holds: 'A lost answer makes the bot unsure.',
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

const leaseGuards: readonly Guard[] = [
  {
    name: 'respect-held-lease',
    holds: 'A worker does nothing for a bot whose lease another one holds.',
    tests: inPromise,
  },
  {
    name: 'write-under-own-lease',
    holds: 'A worker that has lost its lease writes nothing.',
    tests: ['bots/lease.test.ts'],
  },
  {
    name: 'require-time-before-iterator',
    holds: 'Before the iterator is reserved: no PIN call begins that could outlive its lease.',
    tests: inRegister,
  },
  {
    name: 'require-time-after-iterator',
    holds: 'After the iterator is reserved: no PIN call begins that could outlive its lease.',
    tests: inPromise,
  },
  {
    name: 'lease-outlasts-token',
    holds: 'The token of a PIN call ends with the lease, and is good for a minute when the call leaves.',
    tests: inRegister,
  },
  {
    name: 'token-is-not-short-lived',
    holds: 'A PIN call whose lease ends within a minute is not sent.',
    tests: ['mixin/client.test.ts', ...inRegister],
  },
  {
    name: 'unsettled-call-opens-connection',
    holds: 'A call that no GET settles is not sent over a pooled connection, which may be dead.',
    tests: ['mixin/client.test.ts'],
  },
  {
    name: 'note-pin-lock',
    holds: 'A PIN lock that the log of wrong PINs proves is noted on the row.',
    tests: inRegister,
  },
  {
    name: 'respect-pin-lock',
    holds: 'A bot makes no PIN call while its PIN is locked.',
    tests: inRegister,
  },
];

const iteratorGuards: readonly Guard[] = [
  {
    name: 'reserve-iterator',
    holds: 'The iterator is reserved before it is used.',
    tests: inRegister,
  },
  {
    name: 'reserve-two-iterators',
    holds: 'A call with two PINs reserves two iterators.',
    tests: inRegister,
  },
  {
    name: 'grow-iterator',
    holds: 'The iterator grows where the clock does not.',
    tests: inRegister,
  },
  {
    name: 'table-takes-no-smaller-iterator',
    holds: 'The table accepts no smaller iterator.',
    tests: inTable,
  },
];

const sixDigitPinGuards: readonly Guard[] = [
  {
    name: 'note-wrong-pin',
    holds: 'A wrong PIN is noted.',
    tests: inRegister,
  },
  {
    name: 'no-pin-after-wrong-one',
    holds: 'After a wrong PIN no other is tried.',
    tests: ['bots/decide.test.ts', ...inRegister],
  },
  {
    name: 'find-wrong-pin-in-log',
    holds: 'A wrong PIN whose answer was lost is found in the log of the account.',
    tests: inRegister,
  },
  {
    name: 'wait-for-lost-pin',
    holds: 'After a lost answer no PIN is tried until that call can no longer take effect.',
    tests: inRegister,
  },
  {
    name: 'avoid-pin-lock',
    holds: 'A PIN that could lock the account is not tried.',
    tests: inRegister,
  },
];

const enrolmentGuards: readonly Guard[] = [
  {
    name: 'note-call-before-send',
    holds: 'The row notes the call that creates an account before it is sent.',
    tests: inEnroll,
  },
  {
    name: 'never-repeat-noted-call',
    holds: 'A call that was noted is not made again.',
    tests: inEnroll,
  },
  {
    name: 'never-repeat-lost-call',
    holds: 'A call whose answer was lost is not made again.',
    tests: inEnroll,
  },
  {
    name: 'record-account',
    holds: 'The account is recorded before anything is done with it.',
    tests: inEnroll,
  },
  {
    name: 'retry-recording-account',
    holds: 'An account that was created is recorded, though the table fails at first.',
    tests: inEnroll,
  },
  {
    name: 'require-time-before-note',
    holds: 'Before the note: no call begins that could outlive its lease.',
    tests: inEnroll,
  },
  {
    name: 'require-time-after-note',
    holds: 'After the note: no call begins that could outlive its lease.',
    tests: inEnroll,
  },
  {
    name: 'send-stored-session-key',
    holds: 'The session key that is sent is the stored one.',
    replace: () => 'return session_key;',
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
    name: 'new-user-is-new',
    holds: 'A user that was just created has no row yet.',
    tests: inEnroll,
  },
  {
    name: 'enrolment-secret-can-be-restored',
    holds: 'The secret of an enrolment can be restored.',
    replace: () => 'ForceDeleteWithoutRecovery: true',
    tests: inVault,
  },
];

const costGuards: readonly Guard[] = [
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
    name: 'only-what-was-read-leaves-the-inbox',
    holds: 'A list that replaced another in the inbox while that one was read is not removed unread.',
    tests: ['contract/uploads.test.ts'],
  },
  {
    name: 'readings-share-no-chunk',
    holds:
      'What is imported was found by the reading that was priced, even if the list was replaced meanwhile.',
    replace: () => "const reading = 'the same';",
    tests: inIntake,
  },
  {
    name: 'no-more-users-than-accepted',
    holds: 'A chunk that asks for more network users than were accepted is not imported.',
    tests: inIntake,
  },
  {
    name: 'all-of-the-cost-is-accepted',
    holds: 'A plan is confirmed only by an operator who accepts all of its cost.',
    tests: inIntake,
  },
  {
    name: 'only-a-plan-is-confirmed',
    holds: 'Only a plan can be confirmed.',
    tests: inTable,
  },
  {
    name: 'enrolment-id-from-row',
    holds: 'The same row of a list is the same user, however often it is imported.',
    replace: (code) => `Math.random() + (${code})`,
    tests: inIntake,
  },
  {
    name: 'paying-again-is-accepted',
    holds: 'A call that may have cost money is repeated only when an operator accepts that.',
    tests: ['api/retry.test.ts'],
  },
  {
    name: 'pay-again-only-what-was-seen',
    holds: 'Only a call that the operator saw is paid for again.',
    tests: ['api/retry.test.ts'],
  },
  {
    name: 'unsure-bot-needs-get',
    holds: 'Only a GET decides about an unsure bot, whatever an operator asks for.',
    tests: ['api/retry.test.ts'],
  },
];

const workGuards: readonly Guard[] = [
  {
    name: 'remove-enrolment-secret',
    holds: 'The secret of an enrolment that ended is removed.',
    tests: ['fire/histories.test.ts'],
  },
  {
    name: 'due-until-secret-removed',
    holds: 'An enrolment is due until its secret is removed.',
    replace: () => "if (state === 'enrolled') return undefined;",
    tests: ['bots/transition.test.ts'],
  },
  {
    name: 'sweep-sends-first',
    holds: 'The sweep sends a bot’s message before it changes the due time.',
    tests: inIntake,
  },
  {
    name: 'failed-entries-are-sent-again',
    holds: 'Messages that SQS refused are sent again, and only those.',
    replace: () => 'return [];',
    tests: ['contract/queues.test.ts'],
  },
  {
    name: 'unavailable-not-dead-lettered',
    holds: 'A message does not go to the dead-letter queue because AWS is unavailable.',
    tests: ['runtime/handler.test.ts'],
  },
  {
    name: 'unanswered-aws-call-is-given-up',
    holds: 'A call that AWS never answers is given up.',
    tests: ['runtime/connect.test.ts'],
  },
];

/** Most of these are replaced by a leak. */
const secretGuards: readonly Guard[] = [
  {
    name: 'json-error-carries-no-secret',
    holds: 'An error of JSON.parse carries no secret.',
    replace: () => 'return JSON.parse(text);',
    tests: inVault,
  },
  {
    name: 'log-line-has-allowed-fields-only',
    holds: 'A log line has no field that is not allowed.',
    replace: () => 'Object.assign(line, all);',
    tests: ['runtime/log.test.ts'],
  },
  {
    name: 'error-code-is-never-a-text',
    holds: 'A log line names an error and does not quote it.',
    replace: () => 'return error.message;',
    tests: ['runtime/handler.test.ts'],
  },
  {
    name: 'crash-log-has-no-body',
    holds: 'A crash does not log the body of its message.',
    replace: () => 'error: record.body',
    tests: inSecrets,
  },
  {
    name: 'crash-log-has-no-error-text',
    holds: 'A crash does not log the text of its error.',
    replace: () => 'error: String(error)',
    tests: inSecrets,
  },
  {
    name: 'row-has-no-pin',
    holds: 'No PIN is on a row.',
    replace: () => 'row_digest: keystore.pin ?? row_digest',
    tests: inSecrets,
  },
  {
    name: 'row-has-no-code',
    holds: 'No code is on the row of its sign-in.',
    replace: () => 'row_digest: sign_in.code',
    tests: inSecrets,
  },
  {
    name: 'row-error-quotes-no-code',
    holds: 'The error of a row does not quote the value.',
    replace: () => '`It is not a code: ${toDigits(value)}`',
    tests: inSecrets,
  },
  {
    name: 'problem-has-no-error-text',
    holds: 'The API does not answer with the text of an unexpected error.',
    replace: () => '{ message: String(error) }',
    tests: ['runtime/handler.test.ts'],
  },
  {
    name: 'chunk-is-removed',
    holds: 'No part of a list stays in the bucket.',
    tests: inSecrets,
  },
  {
    name: 'output-has-no-code',
    holds: 'The command line does not print what it sends to the API.',
    replace: (code) => `output.writeLine(code);\n${code}`,
    tests: inSecrets,
  },
  {
    name: 'label-is-no-secret',
    holds: 'A key or a PIN in the column of names is not stored as a label.',
    tests: ['lists/as-people-have-them.test.ts'],
  },
  {
    name: 'message-carries-ids-only',
    holds: 'A message between the steps carries no keystore.',
    replace: (code) =>
      `await services.queues.send('check', [{ body: { note: JSON.stringify(stored.keystore) } }]);\n${code}`,
    tests: inSecrets,
  },
];

export const guards: readonly Guard[] = [
  ...keyGuards,
  ...rowGuards,
  ...callGuards,
  ...leaseGuards,
  ...iteratorGuards,
  ...sixDigitPinGuards,
  ...enrolmentGuards,
  ...costGuards,
  ...workGuards,
  ...secretGuards,
];
