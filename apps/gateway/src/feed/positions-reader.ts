import { Inject, Injectable } from '@nestjs/common';
import { MessageStoreRequest, REQUEST_CLIENT, type Positions, type RequestClient } from '@starling/bus';
import { Coalesced } from './coalesced.js';

/** The store's committed positions, from which connections begin to be delivered to. */
@Injectable()
export class PositionsReader {
  private readonly reads: Coalesced<Positions>;

  constructor(@Inject(REQUEST_CLIENT) requests: RequestClient) {
    this.reads = new Coalesced(
      async () => (await requests.request(MessageStoreRequest.positions, {})).positions,
    );
  }

  /** Read after this call; one request serves all who ask together. Rejects with a Refusal. */
  read(): Promise<Positions> {
    return this.reads.ask();
  }
}
