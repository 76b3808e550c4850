import { MAX_PLATFORM_LENGTH } from '@starling/protocol';

/**
 * The platform that the URL of an upgrade on the raw endpoint names, `?platform=`, for clients that cannot name it at
 * login; one that is too long is none.
 */
export function platformOfUpgrade({ url = '' }: { url?: string }): string | null {
  const [, query = ''] = url.split('?', 2);
  const platform = new URLSearchParams(query).get('platform') ?? '';
  return platform.length > MAX_PLATFORM_LENGTH ? null : platform || null;
}
