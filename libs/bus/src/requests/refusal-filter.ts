import { Catch, type ExceptionFilter } from '@nestjs/common';
import { Refusal } from '@starling/protocol';
import { throwError, type Observable } from 'rxjs';

/** A refusal as it crosses the bus, where classes do not survive. */
export interface RefusalOnBus {
  readonly refusal: string;
  readonly message: string;
}

export function refusalOnBus({ error, message }: Refusal): RefusalOnBus {
  return { refusal: error, message };
}

/** Carries a service's refusals to whoever asked. Anything else is Nest's to log and hide. */
@Catch(Refusal)
export class RefusalFilter implements ExceptionFilter<Refusal> {
  catch(refusal: Refusal): Observable<never> {
    return throwError(() => refusalOnBus(refusal));
  }
}
