import { RecordedConnection, RecordedForm } from '../../test/recorded-connection.js';
import { ConnectionDeliveries } from './connection-deliveries.js';
import { UserDeliveries } from './user-deliveries.js';

it('does not count as delivered what was settled after the connection began to close', () => {
  const connection = new RecordedConnection('c', 'ann', new RecordedForm('bytes', 'bytes'));
  const user = new UserDeliveries('ann', [1, 1], Date.now(), true);
  const deliveries = new ConnectionDeliveries(connection, connection.session!, user, () => undefined);
  deliveries.settled([5, 7]);
  connection.isOpen = false;
  deliveries.settled([6, 9]);
  deliveries.allRead();
  expect(user.base).toEqual([5, 7]);
});
