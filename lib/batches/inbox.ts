/** Lists that were put into the bucket itself, and S3's events about them. */
import { v5 as uuidv5 } from 'uuid';
import * as z from 'zod';
import { findContentType, isPassedOver } from '../lists/formats.ts';
import { limits } from '../model/limits.ts';
import type { Services } from '../model/ports.ts';
import type { Problem } from '../model/problem.ts';
import { buildBatch, listKey, queueList } from './batch.ts';
import { rejectList } from './read-list.ts';

/** Turns an object of the inbox into a batch id; must never change. */
const INBOX_NAMESPACE = '7c3d2a90-1b5e-5f06-9d44-8e0a6b7c5d21';

/** S3 sends this once, when the notification is set up. */
export const isTestEvent = (body: unknown) =>
  z.object({ Event: z.literal('s3:TestEvent') }).safeParse(body).success;

/** What S3 sends when a list was put into the inbox. */
export const inboxEvent = z.object({
  Records: z.array(
    z.object({
      s3: z.object({
        object: z.object({
          key: z.string(),
          size: z.number(),
          eTag: z.string(),
          sequencer: z.string(),
        }),
      }),
    }),
  ),
});

const tooLarge: Problem = {
  code: 'list_too_large',
  message: `The list is larger than ${limits.maxUploadBytes} bytes.`,
  fix: 'Split it into several lists.',
};

/**
 * A list in the inbox becomes a batch, whose id follows from the object, so that the same event twice makes one
 * batch. The list leaves the inbox before it is read. Another list under the same name is never removed unread: it has
 * an event of its own.
 */
export const receiveFromInbox = async (
  services: Services,
  object: { key: string; size: number; eTag: string; sequencer: string },
) => {
  const key = decodeURIComponent(object.key.replaceAll('+', ' '));
  // The bucket holds lists of other batches too, and this object is going to be removed.
  if (!key.startsWith(limits.inboxPrefix)) throw new Error('an event names an object outside the inbox');
  // Folders that a console makes, and what operating systems leave: nobody meant them as lists.
  if (object.size === 0 || isPassedOver(key)) return;
  const version = object.eTag.replaceAll('"', '');
  const batch_id = uuidv5(`${key} ${object.eTag} ${object.sequencer}`, INBOX_NAMESPACE);
  if (object.size > limits.maxUploadBytes) {
    await services.table.createBatch(buildBatch(batch_id, services.now()));
    await rejectList(services, batch_id, tooLarge);
    await services.uploads.removeVersion(key, version);
    return;
  }
  const list = await services.uploads.get(key);
  if (list?.version === version) {
    await services.uploads.put(listKey(batch_id), list.body, findContentType(key) ?? list.contentType);
    await services.table.createBatch(buildBatch(batch_id, services.now()));
    await services.uploads.removeVersion(key, version);
    services.log('info', 'batch_received', { batch_id });
  } else if (!(await services.table.readBatch(batch_id))) {
    services.log('error', list ? 'inbox_replaced' : 'inbox_gone', { batch_id });
    return;
  }
  await queueList(services, batch_id);
};
