import { authenticatorContract } from './authenticator.contract.js';
import { OpenAuthenticator } from './open-authenticator.js';

authenticatorContract('the open authenticator', async () => ({
  authenticator: new OpenAuthenticator(),
  tokenOf: async () => null,
}));

it('believes whoever says so, for ever', async () => {
  await expect(new OpenAuthenticator().authenticate()).resolves.toEqual({ expiresAt: null });
});
