/** Lists that were put into the bucket itself, and S3's events about them. */
import { v5 as uuidv5 } from 'uuid';
import { z } from 'zod';
import type { Services } from '../services.ts';
import { newBatch } from './batch.ts';
import { typeOfFile } from './list.ts';
import { listKey } from './objects.ts';

/** Makes batch ids of inbox objects; must never change. */
const INBOX_NAMESPACE = '7c3d2a90-1b5e-5f06-9d44-8e0a6b7c5d21';

/** S3 sends this once, when the notification is set up. */
export const isTestEvent = (body: unknown) =>
  z.object({ Event: z.literal('s3:TestEvent') }).safeParse(body).success;

/** What S3 sends when a list was put into the bucket's inbox. */
export const inboxEvent = z.object({
  Records: z.array(
    z.object({
      s3: z.object({ object: z.object({ key: z.string(), eTag: z.string(), sequencer: z.string() }) }),
    }),
  ),
});

/**
 * A list in the inbox becomes a batch of its own, whose id follows from the object, so that the same event
 * twice makes one batch. It moves out of the inbox before it is read.
 */
export const takeFromInbox = async (
  services: Services,
  object: { key: string; eTag: string; sequencer: string },
) => {
  const key = decodeURIComponent(object.key.replaceAll('+', ' '));
  const batch_id = uuidv5(`${key} ${object.eTag} ${object.sequencer}`, INBOX_NAMESPACE);
  const list = await services.uploads.get(key);
  if (list) {
    await services.uploads.put(listKey(batch_id), list.body, typeOfFile(key) ?? list.contentType);
    await services.table.createBatch(newBatch(batch_id, services.now()));
    await services.uploads.remove([key]);
    services.log('info', 'batch_received', { batch_id });
  } else if (!(await services.table.readBatch(batch_id))) {
    return; // It was taken out again before anybody looked.
  }
  await services.queues.send('intake', [{ body: { batch_id } }]);
};
