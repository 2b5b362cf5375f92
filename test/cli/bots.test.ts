import { describe, expect, test } from 'vitest';
import { answerJson, BATCH_ID, createBot } from './answers.ts';
import { enlist, type ServerRequest, startServer } from './run.ts';

const OTHER_BATCH_ID = '00000000-0000-4000-8000-00000000b002';

/** Answers pages of bots; the cursor is the number of the next page. */
const answerPages =
  (pages: readonly (readonly unknown[])[]) =>
  ({ url }: ServerRequest) => {
    const page = Number(new URL(url, 'http://api').searchParams.get('cursor') ?? 0);
    return answerJson({ bots: pages[page], ...(page + 1 < pages.length && { cursor: String(page + 1) }) });
  };

const listBots = async (pages: readonly (readonly unknown[])[], ...args: readonly string[]) => {
  await using server = await startServer(answerPages(pages));
  const result = await enlist(['bots', BATCH_ID, ...args], { env: { ENLIST_API: server.url } });
  return { ...result, urls: server.requests.map(({ url }) => url) };
};

describe('enlist bots', () => {
  test('enlist bots --reason asks for the bots with this reason', async () => {
    const reason = { code: 'session_refused', message: 'Mixin refused.', fix: 'Make a new session.' };
    const bot = createBot({ state: 'blocked', reason });
    const { code, stdout, urls } = await listBots(
      [[bot]],
      '--state',
      'blocked',
      '--reason',
      'session_refused',
    );
    expect(code).toBe(0);
    expect(stdout).toContain('session_refused');
    expect(urls).toEqual([`/batches/${BATCH_ID}/bots?state=blocked&reason=session_refused`]);
  });

  test.each([
    [[], 'No bots yet.\n'],
    [['--state', 'failed'], 'No bot is in the state failed.\n'],
    [['--reason', 'stalled'], 'No bot has the reason stalled.\n'],
    [['--state', 'blocked', '--reason', 'stalled'], 'No bot in the state blocked has the reason stalled.\n'],
  ])('enlist bots with %j says so when there are none', async (args, stdout) => {
    expect(await listBots([[]], ...args)).toMatchObject({ code: 0, stdout });
  });

  test('enlist bots shows 100 bots although pages are short or empty, and says when there are more', async () => {
    const bots = Array.from({ length: 101 }, (_, i) => createBot({ line: i + 1 }));
    const pages = [[], bots.slice(0, 60), [], bots.slice(60, 100)];
    const all = await listBots(pages);
    expect(all).toMatchObject({ code: 0, stderr: '' });
    expect(all.stdout.match(/registered/g)).toHaveLength(100);
    const more = await listBots([...pages, bots.slice(100)]);
    expect(more.stdout).toBe(all.stdout);
    expect(more.stderr).toBe('These are only the first 100 bots; --all lists every one.\n');
  });

  test('enlist bots names the batch that a bot is in now', async () => {
    const { stdout } = await listBots([[createBot(), createBot({ batch_id: OTHER_BATCH_ID })]]);
    expect(stdout.match(/now in batch .*/g)).toEqual([`now in batch ${OTHER_BATCH_ID}`]);
  });
});
