/** Limits of lists: their sizes, and how long they may wait. */
export const limits = {
  /** API Gateway accepts 10 MB, Lambda 6 MB, of which base64 takes a quarter. */
  maxInlineBytes: 4_500_000,
  /** Some 70,000 keystores: what intake can read and validate within its time-out. */
  maxUploadBytes: 20_000_000,
  /** Rows of one list: more would not be validated within intake's time-out. */
  maxRows: 80_000,
  /** Errors of one list that are stored; the others are only counted. */
  maxErrors: 1_000,
  /** How long an upload form may be used. */
  formSeconds: 900,
  /** Lists that are put under this prefix of the bucket are imported without a request. */
  inboxPrefix: 'inbox/',
  /** A plan must be confirmed while its list is still in the bucket, which deletes it after a day. */
  planSeconds: 20 * 3_600,
  /** Files of one ZIP archive: no more fit without ZIP64. */
  maxArchiveFiles: 65_535,
  /** All files of a ZIP archive together, unpacked. */
  maxArchiveBytes: 60_000_000,
  /** Rows of one chunk message: small enough that its secrets are written within the time-out at 50 a second. */
  chunkRows: 50,
} as const;
