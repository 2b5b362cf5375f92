/** Writes ZIP archives, with wrong values where a test asks for them; it shares no code with what it tests. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipFile {
  readonly name: string;
  readonly text: string | Uint8Array;
  /** @default deflated */
  readonly stored?: boolean;
  /** Values in the headers that differ from the real ones. */
  readonly says?: {
    readonly method?: number;
    readonly flags?: number;
    readonly localFlags?: number;
    readonly localMethod?: number;
    readonly crc?: number;
    readonly packedBytes?: number;
    readonly bytes?: number;
    readonly start?: number;
  };
}

/** Values in the end record that differ from the real ones. */
export interface ZipEnd {
  readonly count?: number;
  readonly directory?: number;
  readonly directoryBytes?: number;
  readonly disk?: number;
  readonly comment?: string;
  /** Stands before the end record. */
  readonly before?: Uint8Array;
}

const UTF8 = 0x0800;

/** Little-endian numbers of so many bytes each. */
const numbers = (...parts: readonly (readonly [bytes: number, value: number])[]): Buffer =>
  Buffer.concat(
    parts.map(([bytes, value]) => {
      const part = Buffer.alloc(bytes);
      part.writeUIntLE(value, 0, bytes);
      return part;
    }),
  );

const write = ({ name, text, stored = false, says = {} }: ZipFile, at: number) => {
  const content = Buffer.from(text as Uint8Array);
  const data = stored ? content : deflateRawSync(content);
  const nameBytes = Buffer.from(name);
  const { method = stored ? 0 : 8, flags = UTF8, crc = crc32(content), start = at } = says;
  const { packedBytes = data.length, bytes = content.length } = says;
  const sizes = [
    [4, crc],
    [4, packedBytes],
    [4, bytes],
    [2, nameBytes.length],
    [2, 0],
  ] as const;
  const { localFlags = flags, localMethod = method } = says;
  const local = numbers([4, 0x04034b50], [2, 20], [2, localFlags], [2, localMethod], [4, 0], ...sizes);
  const central = numbers(
    [4, 0x02014b50],
    [2, 20],
    [2, 20],
    [2, flags],
    [2, method],
    [4, 0],
    ...sizes,
    [2, 0],
    [2, 0],
    [2, 0],
    [4, 0],
    [4, start],
  );
  return { local: Buffer.concat([local, nameBytes, data]), central: Buffer.concat([central, nameBytes]) };
};

export const zipOf = (files: readonly ZipFile[], end: ZipEnd = {}): Buffer => {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let at = 0;
  for (const file of files) {
    const { local, central } = write(file, at);
    locals.push(local);
    centrals.push(central);
    at += local.length;
  }
  const directory = Buffer.concat(centrals);
  const before = end.before ?? new Uint8Array(0);
  const comment = Buffer.from(end.comment ?? '');
  const record = numbers(
    [4, 0x06054b50],
    [2, end.disk ?? 0],
    [2, 0],
    [2, end.count ?? files.length],
    [2, end.count ?? files.length],
    [4, end.directoryBytes ?? directory.length + before.length],
    [4, end.directory ?? at],
    [2, comment.length],
  );
  return Buffer.concat([...locals, directory, before, record, comment]);
};
