/**
 * The code, or else the name, of the error behind a failure: `ECONNREFUSED`, `ThrottlingException`, `TypeError`.
 * fetch and the AWS SDK hide it one level down. It is never the error's text, which may quote input.
 */
export const findErrorCode = (error: unknown): string => {
  if (!(error instanceof Error)) return typeof error;
  const inner = error.cause instanceof Error ? error.cause : error;
  const words = [(inner as { code?: unknown }).code, inner.name, error.name];
  // guard: error-code-is-never-a-text
  return (
    words.find((word): word is string => typeof word === 'string' && /^(?:KMS\.)?\w{1,60}$/.test(word)) ??
    'Error'
  );
};
