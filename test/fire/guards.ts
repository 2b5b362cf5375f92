// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are code
/**
 * The guards of the promise, each with a way to take it out: a text that stands in the code exactly once, and what
 * is put in its place. Without its guard at least one of the named test files must fail (guards.fire.ts tries it).
 */

export interface Guard {
  /** What holds as long as it stands. */
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Under test/. */
  readonly tests: readonly string[];
}

const VAULT = 'lib/aws/vault/vault.ts';
const ENROLMENTS = 'lib/aws/vault/enrolments.ts';
const BOTS = 'lib/aws/table/bots.ts';
const BATCHES = 'lib/aws/table/batches.ts';
const REGISTER = 'lib/bots/register.ts';
const ENROLL = 'lib/bots/enroll.ts';
const LEASE = 'lib/bots/lease.ts';
const DECIDE = 'lib/bots/decide.ts';
const CLIENT = 'lib/mixin/client.ts';

const inVault = ['contract/vault.test.ts'];
const inTable = ['contract/table.test.ts'];
const inRegister = ['bots/register.test.ts'];
const inEnroll = ['bots/enroll.test.ts'];
const inIntake = ['batches/intake.test.ts'];
const inPromise = ['flow/promise.test.ts'];

const ofTheKey: readonly Guard[] = [
  {
    name: 'a bot has one version token, so that the vault takes one key',
    file: VAULT,
    find: '        ClientRequestToken: keyVersionId(user_id),\n',
    replace: '',
    tests: inVault,
  },
  {
    name: 'the token is a function of the bot alone',
    file: VAULT,
    find: 'uuidv5(user_id.toLowerCase(), TOKEN_NAMESPACE)',
    replace: 'uuidv5(user_id.toLowerCase() + Math.random(), TOKEN_NAMESPACE)',
    tests: inVault,
  },
  {
    name: 'the version of the key has a label, so that it is not pruned',
    file: VAULT,
    find: "VersionStages: ['AWSCURRENT', KEY_LABEL],",
    replace: "VersionStages: ['AWSCURRENT'],",
    tests: inVault,
  },
  {
    name: 'the key that counts is the one that was read back',
    file: VAULT,
    find: 'const readBack = await readKey(user_id);',
    replace: `const readBack = await keyOf({ keystore: value, version_id: keyVersionId(user_id) });`,
    tests: ['aws/vault/vault.test.ts'],
  },
  {
    name: 'a key that cannot be read back is an error',
    file: VAULT,
    find: 'if (!readBack) throw',
    replace:
      "if (!readBack) return { private_key: candidate, public_key: '', secret_version: '' };\n    if (!readBack) throw",
    tests: ['aws/vault/vault.test.ts'],
  },
  {
    name: 'the key is read from its own version, never from whatever is current',
    file: VAULT,
    find: '{ VersionId: keyVersionId(user_id) }',
    replace: "{ VersionStage: 'AWSCURRENT' }",
    tests: inVault,
  },
  {
    name: 'a secret of another bot is no keystore of this one',
    file: VAULT,
    find: '|| parsed.data.app_id !== user_id',
    replace: '',
    tests: inVault,
  },
  {
    name: 'a list that brings another spend key changes nothing',
    file: VAULT,
    find: 'if (spend_private_key !== undefined && !(await agrees(listed,',
    replace: 'if (spend_private_key === undefined && !(await agrees(listed,',
    tests: inVault,
  },
  {
    name: 'a session that is written while the key is made does not hide the key',
    file: VAULT,
    find: '    if (after) await putCurrent(compose(merged, [merged], { spend_private_key: after.private_key }));\n',
    replace: '',
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
    name: 'a row names one key for ever',
    file: BOTS,
    find: "'(attribute_not_exists(#public_key) OR #public_key = :public_key)'",
    replace: "'(attribute_not_exists(#public_key) OR attribute_exists(#public_key))'",
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

const ofTheRow: readonly Guard[] = [
  {
    name: 'of two writers who read the same row one wins',
    file: BOTS,
    find: "'#revision = :expected_revision',",
    replace: "'(#revision = :expected_revision OR attribute_exists(pk))',",
    tests: inTable,
  },
  {
    name: 'a move starts from its states only',
    file: BOTS,
    find: "`#state IN (${states.map(([name]) => name).join(', ')})`",
    replace: "`(#state IN (${states.map(([name]) => name).join(', ')}) OR attribute_exists(pk))`",
    tests: inTable,
  },
  {
    name: 'a row is made once',
    file: 'lib/aws/table/items.ts',
    find: "ConditionExpression: 'attribute_not_exists(pk)'",
    replace: "ConditionExpression: 'attribute_not_exists(pk) OR attribute_exists(pk)'",
    tests: inTable,
  },
  {
    name: 'a write that was sent twice is known as our own',
    file: 'lib/aws/table/items.ts',
    find: 'return item?.write_id === write_id ? item : undefined;',
    replace: 'return undefined;',
    tests: inTable,
  },
  {
    name: 'a write of somebody else is not taken for our own',
    file: 'lib/aws/table/items.ts',
    find: 'return item?.write_id === write_id ? item : undefined;',
    replace: 'return item;',
    tests: inTable,
  },
  {
    name: 'a list is read once',
    file: BATCHES,
    find: "ConditionExpression: '#status IN (:received, :stuck)',",
    replace: "ConditionExpression: '#status IN (:received, :stuck) OR attribute_exists(pk)',",
    tests: inTable,
  },
];

const ofTheCalls: readonly Guard[] = [
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
    name: 'a body is a stream, which fetch cannot send again',
    file: CLIENT,
    find: "return { body: new Blob([body]).stream(), duplex: 'half' };",
    replace: 'return { body };',
    tests: ['mixin/client.test.ts'],
  },
  {
    name: 'a redirect is not followed',
    file: CLIENT,
    find: "redirect: 'manual',",
    replace: "redirect: 'follow',",
    tests: ['mixin/client.test.ts'],
  },
];

const ofTheLease: readonly Guard[] = [
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

const ofTheIterator: readonly Guard[] = [
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
    name: 'the table takes no smaller iterator',
    file: BOTS,
    find: "'(attribute_not_exists(#pin_iterator) OR #pin_iterator < :pin_iterator)'",
    replace: "'(attribute_not_exists(#pin_iterator) OR attribute_exists(#pin_iterator))'",
    tests: inTable,
  },
];

const ofSixDigits: readonly Guard[] = [
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

const ofEnrolments: readonly Guard[] = [
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
    name: 'a session key that is kept is never replaced',
    file: ENROLMENTS,
    find: '{ ...known, sign_in: listed.sign_in }',
    replace: 'listed',
    tests: inVault,
  },
  {
    name: 'a session key that cannot be read back is an error',
    file: ENROLMENTS,
    find: 'if (kept?.session_key !== session_key)',
    replace: 'if (!kept) return { session_key };\n    if (kept.session_key !== session_key)',
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
    name: 'the secret of an enrolment can be restored',
    file: 'lib/aws/vault/secrets.ts',
    find: 'RecoveryWindowInDays: recoveryDays',
    replace: 'ForceDeleteWithoutRecovery: recoveryDays > 0',
    tests: inVault,
  },
];

const ofTheCosts: readonly Guard[] = [
  {
    name: 'a list that costs money is planned first',
    file: 'lib/batches/intake.ts',
    find: "isPlan ? 'planned' : 'importing'",
    replace: "'importing'",
    tests: inIntake,
  },
  {
    name: 'a plan is not taken in because its message came again',
    file: 'lib/batches/intake.ts',
    find: "if (batch.status === 'importing' || batch.status === 'stuck') await queueChunks",
    replace: 'await queueChunks',
    tests: inIntake,
  },
  {
    name: 'a plan is confirmed by whoever accepts all of its cost',
    file: 'lib/batches/plan.ts',
    find: "  if (acceptedUsd < cost_usd) return fail({ code: 'cost_not_accepted', cost_usd });\n",
    replace: '',
    tests: inIntake,
  },
  {
    name: 'only a plan can be confirmed',
    file: BATCHES,
    find: "ConditionExpression: '#status = :planned',",
    replace: "ConditionExpression: '#status = :planned OR attribute_exists(pk)',",
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
    name: 'a call that may have cost money is repeated only by whoever says so',
    file: 'lib/api/retry.ts',
    find: "  if (options.states.includes('unsure') && !options.pay_again) return payAgain();\n",
    replace: '',
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

const ofTheWork: readonly Guard[] = [
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
    name: 'entries that SQS left are sent again',
    file: 'lib/aws/queues.ts',
    find: 'entries = entries.filter((entry) => failed.has(entry.Id));',
    replace: 'entries = entries.filter((entry) => failed.has(entry.Id) && failed.size > 99);',
    tests: ['contract/queues.test.ts'],
  },
  {
    name: 'what AWS throttles does not go to the dead letters',
    file: 'lib/runtime/lambda.ts',
    find: 'const after = isThrottled(error, startedMs) ? afterThrottling : afterCrash;',
    replace: 'const after = afterCrash;',
    tests: ['runtime/lambda.test.ts'],
  },
  {
    name: 'a call that AWS never answers is given up',
    file: 'lib/runtime/connect.ts',
    find: 'throwOnRequestTimeout: true,',
    replace: 'throwOnRequestTimeout: false,',
    tests: ['runtime/connect.test.ts'],
  },
];

const ofTheSecrets: readonly Guard[] = [
  {
    name: 'an error of JSON.parse does not carry a secret',
    file: 'lib/aws/vault/secrets.ts',
    find: '    return JSON.parse(text);\n  } catch {\n    return undefined;\n  }',
    replace: '    return JSON.parse(text);\n  } catch (error) {\n    throw error;\n  }',
    tests: inVault,
  },
  {
    name: 'a log line has no field that is not allowed',
    file: 'lib/model/log.ts',
    find: 'for (const name of allowed) if',
    replace: 'for (const name of Object.keys(all) as typeof allowed) if',
    tests: ['runtime/log.test.ts'],
  },
  {
    name: 'a log line names an error and does not quote it',
    file: 'lib/runtime/lambda.ts',
    find: '(error instanceof Error ? error.name : typeof error)',
    replace: '(error instanceof Error ? error.message : typeof error)',
    tests: ['runtime/lambda.test.ts'],
  },
];

const SECRETS = ['flow/secrets.test.ts'];

/** Leaks, put in on purpose. */
const ofTheCanary: readonly Guard[] = [
  {
    name: 'leak: a crash logs the body of its message',
    file: 'lib/runtime/lambda.ts',
    find: "'record_crashed', { message_id, receive_count, error: errorName(error) });",
    replace: "'record_crashed', { message_id, receive_count, error: record.body });",
    tests: SECRETS,
  },
  {
    name: 'leak: a crash logs the text of its error',
    file: 'lib/runtime/lambda.ts',
    find: "'record_crashed', { message_id, receive_count, error: errorName(error) });",
    replace: "'record_crashed', { message_id, receive_count, error: String(error) });",
    tests: SECRETS,
  },
  {
    name: 'leak: a PIN stands on the row',
    file: 'lib/batches/chunk.ts',
    find: 'row_digest: row.row_digest } };',
    replace: 'listing: row.keystore.pin ?? row.row_digest } };',
    tests: SECRETS,
  },
  {
    name: 'leak: a code stands on the row of its sign-in',
    file: 'lib/batches/chunk.ts',
    find: "const listed = { user_id, enrolment, row_digest: 'sign_in' } as const;",
    replace: 'const listed = { user_id, enrolment, row_digest: sign_in.code } as const;',
    tests: SECRETS,
  },
  {
    name: 'leak: the error of a row quotes the value',
    file: 'lib/lists/row-enrolment.ts',
    find: "message: 'It is not a code of four to eight digits.',",
    replace: 'message: `It is not a code: ${digitsOf(value)}`,',
    tests: SECRETS,
  },
  {
    name: 'leak: the API tells the text of an unexpected error',
    file: 'lib/runtime/lambda.ts',
    find: "problem('internal_error')",
    replace: "problem('internal_error', { message: String(request.error) })",
    tests: SECRETS,
  },
  {
    name: 'leak: a part of a list stays in the bucket',
    file: 'lib/batches/chunk.ts',
    find: '    chunkKey(batch.batch_id, chunk),\n    ...(finished',
    replace: '    ...(finished',
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

export const guards: readonly Guard[] = [
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
