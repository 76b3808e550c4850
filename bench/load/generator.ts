/** The process that offers the load: it is told what to do by its parent (see generator-process.ts) and answers. */
import { Crowd } from './crowd.js';
import { Offerer } from './offer.js';
import type { Answer, Command } from './generator-process.js';

let crowd: Crowd | null = null;
let offerer: Offerer | null = null;

async function obey(command: Command): Promise<unknown> {
  if (command.kind === 'crowd') {
    crowd = new Crowd(command.spec);
    offerer = new Offerer(crowd);
    return null;
  }
  if (crowd === null || offerer === null) throw new Error('there is no crowd yet');
  switch (command.kind) {
    case 'connect':
      return crowd.connect();
    case 'log in':
      return crowd.logIn();
    case 'join':
      return crowd.join();
    case 'disconnect':
      return crowd.disconnect();
    case 'offer':
      return offerer.offer(command.order);
  }
}

process.on('message', ({ id, command }: { id: number; command: Command }) => {
  const answer = (rest: Omit<Answer, 'id'>) => process.send?.({ id, ...rest });
  obey(command).then(
    (result) => answer({ result: result ?? null, error: null }),
    (error: Error) => answer({ result: null, error: error.message }),
  );
});
process.once('disconnect', () => process.exit());
