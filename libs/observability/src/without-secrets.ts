/** Field names, in small letters, whose values are never shown. */
const SECRET_FIELDS = new Set([
  'token',
  'authorization',
  'cookie',
  'password',
  'secret',
  'jwt_secret',
  'cipher_keys',
]);

/** What stands deeper is not shown at all. */
const DEEPEST = 4;

/**
 * The same fields with the values of secret ones hidden, at any depth that is shown; copied only where something is hidden.
 * By hand, because pino's own redaction by wildcard paths makes a line twenty times as dear.
 */
export function withoutSecrets(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  let shown = fields;
  for (const [name, value] of Object.entries(fields)) {
    const hidden = SECRET_FIELDS.has(name.toLowerCase()) ? '[redacted]' : insideOf(value, depth);
    if (hidden === value) continue;
    if (shown === fields) shown = { ...fields };
    shown[name] = hidden;
  }
  return shown;
}

function insideOf(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  // Errors are for the serializer of `err`; what writes itself as JSON, and bytes, have no fields to look into.
  if (value instanceof Error || 'toJSON' in value || ArrayBuffer.isView(value)) return value;
  if (depth === DEEPEST) return '[deeper]';
  if (Array.isArray(value)) return value.map((item) => insideOf(item, depth + 1));
  return withoutSecrets(value as Record<string, unknown>, depth + 1);
}
