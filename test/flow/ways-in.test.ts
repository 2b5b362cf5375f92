/** Lists that do not come in a request: by a form for large lists, and by the bucket's inbox. */
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientConfig } from '../../infra/local/client-config.ts';
import { buildBatch } from '../../lib/batches/batch.ts';
import { limits } from '../../lib/model/limits.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { startStack, type TestStack, waitFor, waitForState } from '../helpers/stack.ts';

let stack: TestStack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

interface Form {
  batch_id: string;
  url: string;
  fields: Record<string, string>;
}

const askForm = async (): Promise<Form> => {
  const { status, body } = await stack.post('/uploads', { content_type: 'application/x-ndjson' });
  expect(status).toBe(201);
  return body as Form;
};

const useForm = async ({ url, fields }: Form, list: string) => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append('file', new Blob([list]));
  return (await fetch(url, { method: 'POST', body: form })).status;
};

const batchStatus = async (batch_id: string) =>
  (await stack.get(`/batches/${batch_id}`)).body as {
    status: string;
    total: number;
    problem?: { code: string };
  };

const waitForStatus = (batch_id: string, status: string) =>
  waitFor(async () => {
    const batch = await batchStatus(batch_id);
    return batch.status === status ? batch : undefined;
  });

describe('a form', () => {
  test('a form accepts a list that is larger than a request may be', async () => {
    const { keystore } = await stack.standIn.createUser();
    const form = await askForm();
    const padding = '\n'.repeat(limits.maxInlineBytes);
    expect(await useForm(form, JSON.stringify(keystore) + padding)).toBeLessThan(300);
    const { status, body } = await stack.post(`/uploads/${form.batch_id}`, {});
    expect([status, body]).toEqual([202, { batch_id: form.batch_id, status: 'received' }]);
    await waitForState(stack, keystore.app_id, 'registered');
    const again = await stack.post(`/uploads/${form.batch_id}`, {});
    expect(again.body).toMatchObject({ status: 'imported' });
  });

  test('a form that was never used makes a batch that says so', async () => {
    const { batch_id } = await askForm();
    await stack.post(`/uploads/${batch_id}`, {});
    expect((await waitForStatus(batch_id, 'rejected')).problem?.code).toBe('list_gone');
  });

  test('the policy of a form names its key, its type and its largest size', async () => {
    const { fields, batch_id } = await askForm();
    const policy = JSON.parse(Buffer.from(fields.Policy ?? '', 'base64').toString('utf8'));
    expect(policy.conditions).toEqual(
      expect.arrayContaining([
        ['content-length-range', 1, limits.maxUploadBytes],
        ['eq', '$Content-Type', 'application/x-ndjson'],
        { key: `${batch_id}/list` },
      ]),
    );
    const seconds = (Date.parse(policy.expiration) - Date.now()) / 1_000;
    expect(seconds).toBeLessThanOrEqual(limits.formSeconds);
  });
});

describe('lists with many errors', () => {
  test('a list of nothing but invalid rows keeps its first errors and counts the others', async () => {
    const rows = Array.from({ length: 400 }, () => '{"app_id":1}').join('\n');
    const { body } = await stack.post('/batches', rows, { 'content-type': 'application/x-ndjson' });
    const { batch_id } = body as { batch_id: string };
    await waitForStatus(batch_id, 'imported');
    const batch = await batchStatus(batch_id);
    expect(batch).toMatchObject({ total: 400, invalid: 400, errors_left_out: 4 * 400 - limits.maxErrors });
  });

  test('a list of too many rows is refused as a whole', async () => {
    const rows = '{}\n'.repeat(limits.maxRows + 1);
    const { body } = await stack.post('/batches', rows, { 'content-type': 'application/x-ndjson' });
    const { batch_id } = body as { batch_id: string };
    expect((await waitForStatus(batch_id, 'rejected')).problem?.code).toBe('too_many_rows');
  });
});

describe('a batch whose message was lost', () => {
  test('a retry continues a batch whose message was lost', async () => {
    const { keystore } = await stack.standIn.createUser();
    const batch_id = stack.services.randomId();
    const list = Buffer.from(JSON.stringify([keystore]));
    await stack.services.uploads.put(`${batch_id}/list`, list, 'application/json');
    await stack.services.table.createBatch(buildBatch(batch_id, Date.now()));
    await stack.post(`/batches/${batch_id}/retry`, {});
    await waitForState(stack, keystore.app_id, 'registered');
  });
});

describe("the bucket's inbox", () => {
  const dropFile = async (name: string, Body: string) => {
    const { aws, uploadsBucket } = readConfig(stack.embedded.environment);
    const s3 = new S3Client({ ...clientConfig(aws.endpoints.s3 ?? ''), forcePathStyle: true });
    const Key = limits.inboxPrefix + name;
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket: uploadsBucket, Key, Body }));
    const key = encodeURIComponent(Key).replaceAll('%20', '+').replaceAll('%2F', '/');
    return { key, size: Body.length, eTag: ETag ?? '' };
  };
  const createEvent = (object: { key: string; size: number; eTag: string }) =>
    ({
      Records: [{ eventSource: 'aws:s3', s3: { object: { ...object, sequencer: '0055AED6DCD90281E5' } } }],
    }) as never;
  const inbox = () => stack.services.uploads.get(`${limits.inboxPrefix}my bots.csv`);

  test('a file in the inbox is imported once, however often S3 reports it', async () => {
    const { keystore } = await stack.standIn.createUser();
    const csv = `${Object.keys(keystore).join(',')}\n${Object.values(keystore).join(',')}\n`;
    const event = createEvent(await dropFile('my bots.csv', csv));
    await stack.services.queues.send('intake', [{ body: event }]);
    const bot = await waitForState(stack, keystore.app_id, 'registered');
    expect(await inbox()).toBeUndefined();
    await stack.services.queues.send('intake', [{ body: event }]);
    await stack.services.queues.send('intake', [{ body: { Event: 's3:TestEvent' } }]);
    expect(await batchStatus(bot.batch_id)).toMatchObject({ status: 'imported', total: 1 });
  });

  test('a file in the inbox that is too large is rejected and deleted', async () => {
    const object = await dropFile('huge.csv', 'x');
    const event = createEvent({ ...object, size: limits.maxUploadBytes + 1 });
    await stack.services.queues.send('intake', [{ body: event }]);
    const line = await waitFor(async () => stack.logs.find((it) => it.includes('"list_too_large"')));
    const { batch_id } = JSON.parse(line);
    expect((await batchStatus(batch_id)).problem?.code).toBe('list_too_large');
    await waitFor(async () => !(await stack.services.uploads.get(`${limits.inboxPrefix}huge.csv`)));
  });

  test('a file in the inbox whose name and content show no format is rejected', async () => {
    const object = await dropFile('bots.txt', 'hello');
    await stack.services.queues.send('intake', [{ body: createEvent(object) }]);
    const line = await waitFor(async () =>
      stack.logs.find((it) => it.includes('list_rejected') && it.includes('unknown_format')),
    );
    const { batch_id } = JSON.parse(line);
    expect((await batchStatus(batch_id)).problem?.code).toBe('unknown_format');
  });
});
