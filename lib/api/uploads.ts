/** The routes of upload forms, for lists that are too large for a request. */
import { listKey } from '../batches/batch.ts';
import { receiveUpload } from '../batches/receive.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import { locate, referTo } from './batches.ts';
import type { RouteRequest } from './contract.ts';
import { problem, type Reply } from './http.ts';

export const createUpload = async (
  services: Services,
  { body }: RouteRequest<'createUpload'>,
): Promise<Reply<'createUpload'>> => {
  const batch_id = services.randomId();
  const { url, fields } = await services.uploads.createForm({
    key: listKey(batch_id),
    contentType: body.content_type,
    maxBytes: limits.maxUploadBytes,
    expiresInSeconds: limits.formSeconds,
  });
  return {
    body: {
      batch_id,
      url,
      fields: { ...fields },
      max_bytes: limits.maxUploadBytes,
      expires_in_seconds: limits.formSeconds,
    },
  };
};

export const completeUpload = async (
  services: Services,
  { parameters }: RouteRequest<'completeUpload'>,
): Promise<Reply<'completeUpload'>> => {
  const batch = await receiveUpload(services, parameters.batch_id);
  return batch ? { body: referTo(batch), location: locate(batch) } : problem('no_such_batch');
};
