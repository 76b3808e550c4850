import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';

export type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

const NAME_IN_USE = 10058;

/** The stream, or null when there is none. */
export async function streamInfo(manager: JetStreamManager, name: string): Promise<StreamInfo | null> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if (isApiError(error, JetStreamApiCodes.StreamNotFound)) return null;
    throw error;
  }
}

/** The stream, made if there is none, and changed where it differs from what is wanted. */
export async function ensureStream(manager: JetStreamManager, wanted: WantedStream): Promise<StreamInfo> {
  const found = (await streamInfo(manager, wanted.name)) ?? (await createStream(manager, wanted));
  const { first_seq: _, ...changeable } = wanted;
  const config = found.config as unknown as Record<string, unknown>;
  const differs = Object.entries(changeable).some(
    ([key, value]) => JSON.stringify(config[key]) !== JSON.stringify(value),
  );
  return differs ? manager.streams.update(wanted.name, changeable) : found;
}

async function createStream(manager: JetStreamManager, wanted: WantedStream): Promise<StreamInfo> {
  try {
    return await manager.streams.add(wanted);
  } catch (error) {
    // Somebody else was quicker, and wants it otherwise.
    if (isApiError(error, NAME_IN_USE)) return manager.streams.info(wanted.name);
    throw error;
  }
}

export function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}
