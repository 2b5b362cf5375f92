/** The ways a list comes in by HTTP: in the request, or by a form for large ones. */
import { createHash } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import { z } from 'zod';
import { listKey } from '../batches/objects.ts';
import { newBatch } from '../batches/progress.ts';
import { findFormat, listFormats } from '../lists/formats.ts';
import type { Batch } from '../model/batch.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import { badParameter, noSuchBatch, parseBody } from './answers.ts';
import { type HttpAnswer, type HttpRequest, problem } from './http.ts';

/** Turns an Idempotency-Key into a batch id; must never change. */
const BATCH_NAMESPACE = '0e1f5c3a-94b7-5d62-8a3e-6c7d2b1f9e40';

/** Why an upload cannot be a list at all; undefined when it may be one. */
const refuseUpload = ({ headers, body }: HttpRequest): HttpAnswer | undefined => {
  if (!findFormat(headers['content-type'])) {
    const types = Object.keys(listFormats).join(', ');
    return problem(415, 'unknown_format', 'The Content-Type names no list format.', `Use one of ${types}.`);
  }
  if (body.byteLength === 0) {
    return problem(400, 'empty_list', 'The request has no body.', 'Send the list as the body.');
  }
  if (body.byteLength > limits.maxInlineBytes) {
    const detail = `The list is larger than ${limits.maxInlineBytes} bytes.`;
    return problem(413, 'list_too_large', detail, 'Cut it into several lists.');
  }
  return undefined;
};

/** The id of a batch is made of its UTF-8, which a lone surrogate has none of. */
const idempotencyKey = z
  .string()
  .min(8)
  .max(255)
  .refine((key) => key.isWellFormed())
  .optional();

const batchIdFor = (services: Services, key: string | undefined) =>
  key === undefined ? services.randomId() : uuidv5(key, BATCH_NAMESPACE);

/**
 * The list is stored first, then its batch is made, then intake is told: a lost answer is mended by sending
 * again. Undefined when the Idempotency-Key stands for another list already.
 */
const receive = async (
  services: Services,
  batch_id: string,
  { headers, body }: HttpRequest,
): Promise<Batch | undefined> => {
  const list_digest = createHash('sha256').update(body).digest('hex');
  const known = await services.table.readBatch(batch_id);
  if (known && known.list_digest !== list_digest) return undefined;
  if (known && known.status !== 'received') return known;
  await services.uploads.put(listKey(batch_id), body, headers['content-type'] ?? '');
  const batch: Batch = { ...newBatch(batch_id, services.now()), list_digest };
  const made = known ?? (await services.table.createBatch(batch)) ?? batch;
  await services.queues.send('intake', [{ body: { batch_id } }]);
  services.log('info', 'batch_received', { batch_id });
  return made;
};

const accepted = ({ batch_id, status }: Batch): HttpAnswer => ({
  status: 202,
  headers: { location: `/batches/${batch_id}` },
  body: { batch_id, status },
});

const listTypes = Object.keys(listFormats) as [keyof typeof listFormats];
const uploadOptions = z.strictObject({ content_type: z.enum(listTypes) });

/** A form for a list that is too large for a request; POST /uploads/{batch_id} follows when it was used. */
export const createUpload = async (services: Services, { body }: HttpRequest): Promise<HttpAnswer> => {
  const options = parseBody(uploadOptions, body);
  if (!options) {
    const types = Object.keys(listFormats).join(', ');
    return problem(400, 'bad_body', 'The body is not valid.', `Send {"content_type": one of ${types}}.`);
  }
  const batch_id = services.randomId();
  const form = await services.uploads.createForm({
    key: listKey(batch_id),
    contentType: options.content_type,
    maxBytes: limits.maxUploadBytes,
    expiresInSeconds: limits.formSeconds,
  });
  const { url, fields } = form;
  const limit = { max_bytes: limits.maxUploadBytes, expires_in_seconds: limits.formSeconds };
  return { status: 201, body: { batch_id, url, fields, ...limit } };
};

/** The form was used: the list becomes a batch. A list that never came is told by the batch. */
export const completeUpload = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const id = z.uuid().safeParse(request.path.batch_id?.toLowerCase());
  if (!id.success) return noSuchBatch();
  const batch_id = id.data;
  const batch =
    (await services.table.createBatch(newBatch(batch_id, services.now()))) ??
    (await services.table.readBatch(batch_id));
  if (!batch) return noSuchBatch();
  if (batch.status === 'received') await services.queues.send('intake', [{ body: { batch_id } }]);
  return accepted(batch);
};

const keyReused = () =>
  problem(
    409,
    'idempotency_key_reused',
    'This Idempotency-Key was sent with another list before.',
    'Use a new key for a new list.',
  );

export const createBatch = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const refused = refuseUpload(request);
  if (refused) return refused;
  const key = idempotencyKey.safeParse(request.headers['idempotency-key']);
  if (!key.success) return badParameter('Idempotency-Key', 'Use 8 to 255 characters, such as a UUID.');
  const batch = await receive(services, batchIdFor(services, key.data), request);
  if (!batch) return keyReused();
  return accepted(batch);
};
