import { StorageUnavailableError } from '../storage-errors.js';
import { storageErrorOf } from './mongo-errors.js';

it.each([
  ["the socket's own error", Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
  ['a plain error of the driver', new Error('connection closed')],
])('%s is the store being away', (_, error) => {
  expect(storageErrorOf(error)).toBeInstanceOf(StorageUnavailableError);
});

it('lets a fault of the program pass', () => {
  const fault = new TypeError('x is not a function');
  expect(storageErrorOf(fault)).toBe(fault);
});
