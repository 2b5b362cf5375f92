/** Planted secrets, and a search for them, whole or in part, in every form in which they could leak. */

/**
 * So many characters in a row no two texts share by chance, and an error message that quotes a key quotes more. Forms
 * that need several characters for a byte are searched with twice as many.
 */
const WINDOW = 12;

interface Forms {
  readonly dense: readonly string[];
  readonly sparse: readonly string[];
}

/** Standard base64 of the bytes at any place of a longer text, without the characters that depend on their neighbours. */
const base64Cores = (bytes: Buffer): string[] =>
  [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const [first, last] = [Math.ceil((before * 4) / 3), (before + bytes.length) % 3 === 0 ? 0 : 1];
    return text.slice(first, text.length - last);
  });

const urlSafe = (text: string) => text.replaceAll('+', '-').replaceAll('/', '_');

const together = (all: readonly Forms[]): Forms => ({
  dense: all.flatMap(({ dense }) => dense),
  sparse: all.flatMap(({ sparse }) => sparse),
});

const inBase64 = (bytes: Buffer): string[] => {
  const cores = base64Cores(bytes);
  return [...cores, ...cores.map(urlSafe)];
};

const formsOfBytes = (bytes: Buffer): Forms => {
  const hex = bytes.toString('hex');
  return {
    dense: [hex, hex.toUpperCase(), ...inBase64(bytes)],
    // The forms of bytes in JSON, in Node's inspector and in dumps; an Int8Array has signed numbers.
    sparse: [
      ...[[...bytes], [...new Int8Array(bytes)]].flatMap((numbers) => [
        numbers.join(','),
        numbers.join(', '),
      ]),
      JSON.stringify(new Uint8Array(bytes)).slice(1, -1),
      ...[' ', ':'].map((between) => (hex.match(/../g) ?? []).join(between)),
    ],
  };
};

const formsOfText = (text: string): Forms => {
  const bytes = Buffer.from(text);
  return {
    dense: [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), ...inBase64(bytes)],
    sparse: [bytes.toString('hex')],
  };
};

/** Lines of a PEM but the first and the last: of RSA keys these hold the key. */
const innerLines = (pem: string) =>
  pem
    .split(/\r?\n|\\n/)
    .map((line) => line.trim())
    .slice(1, -1)
    .filter((line) => line.length > WINDOW);

const isKey = (text: string) => /^[0-9a-f]{64}$/i.test(text);

/** Every form of a secret that is long enough not to appear by chance. */
const longForms = (secret: string): Forms => {
  if (secret.includes('-----BEGIN '))
    return together(
      innerLines(secret).flatMap((line) => [formsOfText(line), formsOfBytes(Buffer.from(line, 'base64'))]),
    );
  const key = secret.replace(/^scalar:/, '');
  return isKey(key)
    ? together([formsOfText(key), formsOfBytes(Buffer.from(key, 'hex'))])
    : formsOfText(secret);
};

const cutWindows = (forms: readonly string[], length: number): Set<string> => {
  const windows = new Set<string>();
  for (const form of forms)
    for (let i = 0; i + length <= form.length; i += 1) windows.add(form.slice(i, i + length));
  return windows;
};

/** Digits by themselves: not a part of a time, an id or a longer number. */
const standingAlone = (digits: string) => new RegExp(`(?<![\\w.:+-])${digits}(?![\\w.:-])`);

export interface Canaries {
  /** The places in this text that are a secret, or quote one, with the text around them. */
  find(text: string): string[];
  readonly count: number;
}

/**
 * @param long keys, PEMs, tokens, phone numbers
 * @param digits PINs and codes. They begin with a zero, so that no number that a program writes equals one.
 */
export const createCanaries = (long: Iterable<string>, digits: readonly string[]): Canaries => {
  const secrets = [...new Set(long)].filter((secret) => secret !== '');
  const { dense, sparse } = together(secrets.map(longForms));
  const windows = [
    [WINDOW, cutWindows(dense, WINDOW), (text: string) => text],
    // Node's inspector aligns the numbers of an array with spaces.
    [2 * WINDOW, cutWindows(sparse, 2 * WINDOW), (text: string) => text.replaceAll(/\s+/g, ' ')],
  ] as const;
  const alone = digits.map(standingAlone);
  // As strings of JSON: without the quotes they appear in other numbers.
  const inside = digits.flatMap((it) => {
    const bytes = Buffer.from(`"${it}"`);
    return [bytes.toString('hex'), ...inBase64(bytes)];
  });
  const around = (text: string, at: number, length: number) =>
    `${text.slice(Math.max(0, at - 60), at)}<SECRET>${text.slice(at + length, at + length + 20)}`;
  return {
    count: secrets.length + digits.length,
    find: (text) => {
      const places: string[] = [];
      for (const [length, windowSet, prepare] of windows) {
        const prepared = prepare(text);
        for (let i = 0; i + length <= prepared.length; i += 1)
          if (windowSet.has(prepared.slice(i, i + length))) {
            places.push(around(prepared, i, length));
            i += 100;
          }
      }
      for (const pattern of alone) {
        const match = pattern.exec(text);
        if (match) places.push(around(text, match.index, match[0].length));
      }
      for (const form of inside) {
        const at = text.indexOf(form);
        if (at >= 0) places.push(around(text, at, form.length));
      }
      return places;
    },
  };
};
