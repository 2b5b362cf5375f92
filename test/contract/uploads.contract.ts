/** What every implementation of `Uploads` must do. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Uploads } from '../../lib/model/ports.ts';
import { type Backend, connectServices, type StartBackend } from './backend.ts';

/** @param start starts a backend with a bucket */
export const describeUploads = (name: string, start: StartBackend) => {
  describe(`uploads: ${name}`, () => {
    let backend: Backend;
    let uploads: Uploads;
    beforeAll(async () => {
      backend = await start();
      uploads = connectServices(backend.environment).uploads;
    });
    afterAll(() => backend?.stop());

    test.each([
      ['an empty body', new Uint8Array()],
      ['a body with every byte value', Uint8Array.from({ length: 256 }, (_, i) => i)],
      ['a long body', new Uint8Array(randomBytes(300_000))],
    ])('%s reads back as it was put', async (_name, body) => {
      const key = `${randomUUID()}/list`;
      await uploads.put(key, body, 'application/x-ndjson; charset=utf-8');
      const object = await uploads.get(key);
      expect(object?.contentType).toBe('application/x-ndjson; charset=utf-8');
      expect(Buffer.compare(object?.body ?? Buffer.from('?'), body)).toBe(0);
      await uploads.remove([key]);
    });

    test('a second put of a key replaces the first', async () => {
      const key = `${randomUUID()}/list`;
      await uploads.put(key, Buffer.from('one'), 'text/csv');
      await uploads.put(key, Buffer.from('two'), 'application/json');
      expect(await uploads.get(key)).toMatchObject({ contentType: 'application/json' });
      expect(Buffer.from((await uploads.get(key))?.body ?? '').toString()).toBe('two');
      await uploads.remove([key]);
    });

    test('an object that does not exist, or was removed, reads as undefined', async () => {
      const [key, other] = [`${randomUUID()}/list`, `${randomUUID()}/list`];
      expect(await uploads.get(key)).toBeUndefined();
      await uploads.put(key, Buffer.from('x'), 'text/csv');
      await uploads.put(other, Buffer.from('x'), 'text/csv');
      await uploads.remove([key]);
      expect(await uploads.get(key)).toBeUndefined();
      expect(await uploads.get(other)).toBeDefined();
      await uploads.remove([other]);
    });

    test('an object is removed by its version, and another that has replaced it stays', async () => {
      const key = `${randomUUID()}/list`;
      const put = async (text: string) => {
        await uploads.put(key, Buffer.from(text), 'text/csv');
        return (await uploads.get(key))?.version ?? '';
      };
      const [one, two] = [await put('one'), await put('two')];
      expect(await uploads.removeVersion(key, one)).toBe(false);
      expect(Buffer.from((await uploads.get(key))?.body ?? '').toString()).toBe('two');
      expect(await uploads.removeVersion(key, two)).toBe(true);
      expect(await uploads.get(key)).toBeUndefined();
      expect(await uploads.removeVersion(key, two)).toBe(true);
    });

    test('many objects are removed at once, and removing them again does nothing', async () => {
      const keys = Array.from({ length: 12 }, () => `${randomUUID()}/chunk`);
      await Promise.all(keys.slice(1).map((key) => uploads.put(key, Buffer.from('x'), 'text/csv')));
      await uploads.remove(keys);
      await uploads.remove(keys);
      await uploads.remove([]);
      expect(await Promise.all(keys.map((key) => uploads.get(key)))).toEqual(keys.map(() => undefined));
    });

    test('a missing bucket is an error and not a missing object', async () => {
      const broken = connectServices({
        ...backend.environment,
        ENLIST_UPLOADS_BUCKET: `no-such-bucket-${randomUUID()}`,
      });
      await expect(broken.uploads.get('x/list')).rejects.toThrow();
    });
  });
};
