import { Controller, Module, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { Refusal } from '@starling/protocol';
import { requestPattern } from './pattern.js';
import { RefusalFilter } from './refusal-filter.js';
import type { RequestClient } from './request-client.js';

export const Greet = requestPattern<{ name: string }, { greeting: string }>('contract.greet');
const Refuse = requestPattern<{ why: string }, never>('contract.refuse');
const Break = requestPattern<Record<string, never>, never>('contract.break');
export const Hang = requestPattern<Record<string, never>, never>('contract.hang');
const Nobody = requestPattern<Record<string, never>, never>('contract.nobody');

@Controller()
@UseFilters(new RefusalFilter())
class ContractController {
  @MessagePattern(Greet.name)
  greet(@Payload() { name }: { name: string }) {
    return { greeting: `hello ${name}` };
  }

  @MessagePattern(Refuse.name)
  refuse(@Payload() { why }: { why: string }) {
    throw new Refusal('GROUP_NOT_OPEN', why);
  }

  @MessagePattern(Break.name)
  break() {
    throw new Error('secret internals');
  }

  @MessagePattern(Hang.name)
  hang() {
    return new Promise(() => undefined);
  }
}

@Module({ controllers: [ContractController] })
export class ContractModule {}

/** What every transport of requests promises; see RequestClient. `connect` serves ContractModule. */
export function requestClientContract(
  connect: (options: { timeoutMs: number }) => Promise<{ client: RequestClient; close: () => Promise<void> }>,
): void {
  let client: RequestClient;
  let close: () => Promise<void>;

  beforeAll(async () => {
    ({ client, close } = await connect({ timeoutMs: 2000 }));
  });
  afterAll(() => close());

  it('brings the reply', async () => {
    await expect(client.request(Greet, { name: 'Ann' })).resolves.toEqual({ greeting: 'hello Ann' });
  });

  it('brings a refusal of the service with its name and message', async () => {
    const refusal: unknown = await client
      .request(Refuse, { why: 'closed today' })
      .catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ error: 'GROUP_NOT_OPEN', message: 'closed today', code: 3003 });
  });

  it.each([
    ['the service breaks', Break],
    ['nobody answers in time', Hang],
    ['nobody has the pattern', Nobody],
  ])('refuses with UNAVAILABLE when %s, and tells nothing more', async (_, pattern) => {
    const refusal: unknown = await client.request(pattern, {}).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ error: 'UNAVAILABLE', message: 'a part of the server does not answer' });
  });
}
