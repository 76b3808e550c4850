import { Module } from '@nestjs/common';
import { CONFIG, type Config } from '@starling/config';
import { LOGGER } from '@starling/observability';
import type { Logger } from 'pino';
import { AUTHENTICATOR, type Authenticator } from './authenticator.js';
import { JwtAuthenticator } from './jwt-authenticator.js';
import { OpenAuthenticator } from './open-authenticator.js';
import { tokenKeys } from './token-keys.js';

/** Provides AUTHENTICATOR as AUTH_MODE says. */
@Module({
  providers: [
    {
      provide: AUTHENTICATOR,
      inject: [CONFIG, LOGGER],
      useFactory: (config: Config, logger: Logger): Authenticator => {
        if (config.AUTH_MODE === 'jwt') return new JwtAuthenticator(tokenKeys(config, logger), config);
        logger.warn(
          { host: config.HOST },
          'AUTH_MODE=open: every client is believed to be the user it says it is',
        );
        return new OpenAuthenticator();
      },
    },
  ],
  exports: [AUTHENTICATOR],
})
export class AuthenticationModule {}
