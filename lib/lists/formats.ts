/** How lists are written, and how one tells: by the Content-Type or by a file's name. Pure data. */
export const listFormats = {
  'application/json': 'json',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/json-lines': 'jsonl',
  'text/csv': 'csv',
  'application/zip': 'zip',
  'application/x-zip-compressed': 'zip',
} as const;
export type ListType = keyof typeof listFormats;
export type ListFormat = (typeof listFormats)[ListType];
/** A format whose files are text. */
export type TextFormat = Exclude<ListFormat, 'zip'>;

/** The format a Content-Type names; undefined when it is none of ours. */
export const formatOf = (contentType: string | undefined): ListFormat | undefined => {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return Object.hasOwn(listFormats, type) ? listFormats[type as ListType] : undefined;
};

const typesOfFiles: Readonly<Record<string, ListType>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  zip: 'application/zip',
};

/** The Content-Type a file's name speaks of; undefined when it is none of ours. */
export const typeOfFile = (name: string): ListType | undefined => {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(typesOfFiles, ending) ? typesOfFiles[ending] : undefined;
};
