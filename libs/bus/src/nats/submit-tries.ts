/**
 * What a try of a submit is called in the stream (`Nats-Msg-Id`), where a second copy of the same name is dropped: a
 * try that is sent again after a reconnect keeps its name; one that is meant to be stored beside the first has its own.
 */
export function nameOfTry(messageId: string, attempt: number): string {
  return attempt === 1 ? messageId : `${messageId}${MARK}${attempt}`;
}

/** Whether `name` is that of a try of the submit, or of another try of it. */
export function isTryOf(messageId: string, name: string): boolean {
  return withoutMark(messageId) === withoutMark(name);
}

const MARK = '~';

function withoutMark(name: string): string {
  const mark = name.lastIndexOf(MARK);
  return mark === -1 ? name : name.slice(0, mark);
}
