/** The formats of lists, by Content-Type and by the ending of a file's name. Pure data. */
export const listFormats = {
  'application/json': 'json',
  'application/x-ndjson': 'jsonl',
  'application/jsonl': 'jsonl',
  'application/json-lines': 'jsonl',
  'text/csv': 'csv',
  'application/zip': 'zip',
  'application/x-zip-compressed': 'zip',
} as const;
export type ContentType = keyof typeof listFormats;
export type ListFormat = (typeof listFormats)[ContentType];
/** A format whose files are text. */
export type TextFormat = Exclude<ListFormat, 'zip'>;

/** The format of a Content-Type; undefined for any other type. */
export const findFormat = (contentType: string | undefined): ListFormat | undefined => {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  return Object.hasOwn(listFormats, type) ? listFormats[type as ContentType] : undefined;
};

const contentTypesByEnding: Readonly<Record<string, ContentType>> = {
  json: 'application/json',
  jsonl: 'application/x-ndjson',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  zip: 'application/zip',
};

/** The endings of lists, for sentences. */
export const textEndings = '.json, .jsonl, .ndjson or .csv';
export const listEndings = '.json, .jsonl, .ndjson, .csv or .zip';

/** The Content-Type of a file, by the ending of its name; undefined for any other ending. */
export const findContentType = (name: string): ContentType | undefined => {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? '';
  return Object.hasOwn(contentTypesByEnding, ending) ? contentTypesByEnding[ending] : undefined;
};

/** The format of a file of an archive or a folder, by its name; undefined when it is not a list in text. */
export const findTextFormat = (name: string): TextFormat | undefined => {
  const format = findFormat(findContentType(name));
  return format === 'zip' ? undefined : format;
};

const systemFiles: readonly string[] = [
  '__macosx',
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '$recycle.bin',
];

/** Folders, hidden files, and what operating systems and office programs leave beside files: nobody meant them as lists. */
export const isPassedOver = (name: string): boolean => {
  const parts = name.split(/[/\\]/);
  return (
    parts.at(-1) === '' ||
    parts.some((part) => /^\.[^.]|^~\$/.test(part) || systemFiles.includes(part.toLowerCase()))
  );
};
