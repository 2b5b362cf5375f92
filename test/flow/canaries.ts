/** Secrets that were planted, and a search for them, whole or in part, in every form they could slip out in. */

/**
 * Characters that no two texts share by chance, and still fewer than an error message quotes of a key; twice as many
 * of a form that says little with each character.
 */
const WINDOW = 12;

interface Forms {
  readonly dense: readonly string[];
  readonly sparse: readonly string[];
}

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
    // As JSON has a Buffer, and as Node's inspector shows one.
    sparse: [[...bytes].join(','), [...bytes].join(', '), (hex.match(/../g) ?? []).join(' ')],
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

/** Every form of a secret that is long enough not to turn up by chance. */
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

const windowsOf = (forms: readonly string[], length: number): Set<string> => {
  const windows = new Set<string>();
  for (const form of forms)
    for (let i = 0; i + length <= form.length; i += 1) windows.add(form.slice(i, i + length));
  return windows;
};

/** Digits by themselves: not a part of a time, an id or a longer number. */
const standingAlone = (digits: string) => new RegExp(`(?<![\\w.:+-])${digits}(?![\\w.:-])`);

export interface Canaries {
  /** The places in this text that are a secret, or quote one: what stands around them. */
  find(text: string): string[];
  readonly count: number;
}

/**
 * @param long keys, PEMs, tokens, phone numbers
 * @param digits PINs and codes. With a zero in front no number that a program writes can be one of them.
 */
export const canariesOf = (long: Iterable<string>, digits: readonly string[]): Canaries => {
  const secrets = [...new Set(long)].filter((secret) => secret !== '');
  const { dense, sparse } = together(secrets.map(longForms));
  const windows = [
    [WINDOW, windowsOf(dense, WINDOW), (text: string) => text],
    // Node's inspector aligns the numbers of an array with spaces.
    [2 * WINDOW, windowsOf(sparse, 2 * WINDOW), (text: string) => text.replaceAll(/\s+/g, ' ')],
  ] as const;
  const alone = digits.map(standingAlone);
  // As JSON has them: without the quotes they turn up in other numbers.
  const inside = digits.flatMap((it) => {
    const bytes = Buffer.from(`"${it}"`);
    return [bytes.toString('hex'), ...inBase64(bytes)];
  });
  const around = (text: string, at: number, length: number) =>
    `${text.slice(Math.max(0, at - 60), at)}<SECRET>${text.slice(at + length, at + length + 20)}`;
  return {
    count: secrets.length + digits.length,
    find: (text) => {
      const found: string[] = [];
      for (const [length, known, prepare] of windows) {
        const searched = prepare(text);
        for (let i = 0; i + length <= searched.length; i += 1)
          if (known.has(searched.slice(i, i + length))) {
            found.push(around(searched, i, length));
            i += 100;
          }
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
