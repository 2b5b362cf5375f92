/** Secrets that were planted, and a search for them, whole or in part, in every form they could slip out in. */

/** Longer than anything that two texts share by chance, shorter than what an error message quotes of a key. */
const WINDOW = 12;

/** Standard base64 of the bytes wherever they stand in a longer text: without what their neighbours decide. */
const base64Cores = (bytes: Buffer): string[] =>
  [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const [first, last] = [Math.ceil((before * 4) / 3), (before + bytes.length) % 3 === 0 ? 0 : 1];
    return text.slice(first, text.length - last);
  });

const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');

const formsOfBytes = (bytes: Buffer): string[] => {
  const hex = bytes.toString('hex');
  const cores = base64Cores(bytes);
  return [
    hex,
    hex.toUpperCase(),
    ...cores,
    ...cores.map(urlSafe),
    // As JSON has a Buffer, and as Node's inspector shows one.
    [...bytes].join(','),
    [...bytes].join(', '),
    (hex.match(/../g) ?? []).join(' '),
  ];
};

const formsOfText = (text: string): string[] => [
  text,
  JSON.stringify(text).slice(1, -1),
  encodeURIComponent(text),
  ...formsOfBytes(Buffer.from(text)),
];

/** Lines of a PEM but the first and the last: of RSA keys these hold the key. */
const innerLines = (pem: string) =>
  pem
    .split(/\r?\n|\\n/)
    .map((line) => line.trim())
    .slice(1, -1)
    .filter((line) => line.length > WINDOW);

const isKey = (text: string) => /^[0-9a-f]{64}$/i.test(text);

/** Every form of a secret that is long enough not to turn up by chance. */
const longForms = (secret: string): string[] => {
  if (secret.includes('-----BEGIN '))
    return innerLines(secret).flatMap((line) => [
      ...formsOfText(line),
      ...formsOfBytes(Buffer.from(line, 'base64')),
    ]);
  const key = secret.replace(/^scalar:/, '');
  return isKey(key) ? [...formsOfText(key), ...formsOfBytes(Buffer.from(key, 'hex'))] : formsOfText(secret);
};

/** Digits by themselves: not a part of a time, an id or a longer number. */
const standingAlone = (digits: string) => new RegExp(`(?<![\\w.:+-])${digits}(?![\\w.:-])`);

export interface Canaries {
  /** What of this text is, or quotes, a secret: the places around it, made unreadable but for their surroundings. */
  find(text: string): string[];
  readonly count: number;
}

/**
 * @param long keys, PEMs, tokens, phone numbers
 * @param digits PINs and codes. With a zero in front no number that a program writes can be one of them.
 */
export const canariesOf = (long: Iterable<string>, digits: readonly string[]): Canaries => {
  const secrets = [...new Set(long)].filter((secret) => secret !== '');
  const windows = new Set<string>();
  for (const form of secrets.flatMap(longForms))
    for (let i = 0; i + WINDOW <= form.length; i += 1) windows.add(form.slice(i, i + WINDOW));
  const alone = digits.map(standingAlone);
  const inside = digits
    .filter((it) => it.length >= 6)
    .flatMap((it) => [Buffer.from(it).toString('hex'), ...base64Cores(Buffer.from(it))])
    .filter((form) => form.length >= 7);
  const around = (text: string, at: number, length: number) =>
    `${text.slice(Math.max(0, at - 60), at)}<SECRET>${text.slice(at + length, at + length + 20)}`;
  return {
    count: secrets.length + digits.length,
    find: (text) => {
      const found: string[] = [];
      for (let i = 0; i + WINDOW <= text.length; i += 1)
        if (windows.has(text.slice(i, i + WINDOW))) {
          found.push(around(text, i, WINDOW));
          i += 100;
        }
      for (const pattern of alone) {
        const match = pattern.exec(text);
        if (match) found.push(around(text, match.index, match[0].length));
      }
      for (const form of inside) {
        const at = text.indexOf(form);
        if (at >= 0) found.push(around(text, at, form.length));
      }
      return found;
    },
  };
};
