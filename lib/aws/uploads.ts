/** Uploaded lists, in S3, until their last row is imported. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import type { Uploads } from '../model/ports.ts';
import { UnavailableError } from './unavailable.ts';

interface UploadsOptions {
  readonly client: S3Client;
  readonly bucket: string;
}

/** Events have an ETag without its quotes, answers with them. */
const readETag = (etag = ''): string => etag.replaceAll('"', '');

const readCurrentVersion = async (client: S3Client, Bucket: string, Key: string) => {
  try {
    return readETag((await client.send(new HeadObjectCommand({ Bucket, Key }))).ETag);
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
};

export const createUploads = ({ client, bucket: Bucket }: UploadsOptions): Uploads => ({
  put: async (Key, Body, ContentType) => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
  },

  get: async (Key) => {
    try {
      const { Body, ContentType, ETag } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const reading = Body?.transformToByteArray().catch((error) => {
        throw new UnavailableError('the connection broke while an upload was read', { cause: error });
      });
      const body = (await reading) ?? new Uint8Array();
      return { body, contentType: ContentType ?? 'application/octet-stream', version: readETag(ETag) };
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  },

  removeVersion: async (Key, version) => {
    // Only S3 itself makes the delete conditional; the emulator of the embedded stack ignores If-Match.
    const current = await readCurrentVersion(client, Bucket, Key);
    if (current === undefined) return true;
    // guard: only-what-was-read-leaves-the-inbox
    if (current !== version) return false;
    try {
      await client.send(new DeleteObjectCommand({ Bucket, Key, IfMatch: `"${version}"` }));
      return true;
    } catch (error) {
      if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 412) return false;
      throw error;
    }
  },

  remove: async (keys) => {
    await Promise.all(keys.map((Key) => client.send(new DeleteObjectCommand({ Bucket, Key }))));
  },

  createForm: ({ key: Key, contentType, maxBytes, expiresInSeconds: Expires }) =>
    createPresignedPost(client, {
      Bucket,
      Key,
      Expires,
      Fields: { 'Content-Type': contentType },
      Conditions: [
        ['content-length-range', 1, maxBytes],
        ['eq', '$Content-Type', contentType],
      ],
    }),
});
