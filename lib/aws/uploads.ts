/** Uploaded lists, in S3, until their last row is imported. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createPresignedPost } from '@aws-sdk/s3-presigned-post';
import type { Uploads } from '../model/ports.ts';

interface UploadsOptions {
  readonly client: S3Client;
  readonly bucket: string;
}

export const createUploads = ({ client, bucket: Bucket }: UploadsOptions): Uploads => ({
  put: async (Key, Body, ContentType) => {
    await client.send(new PutObjectCommand({ Bucket, Key, Body, ContentType }));
  },

  get: async (Key) => {
    try {
      const { Body, ContentType } = await client.send(new GetObjectCommand({ Bucket, Key }));
      const body = (await Body?.transformToByteArray()) ?? new Uint8Array();
      return { body, contentType: ContentType ?? 'application/octet-stream' };
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
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
