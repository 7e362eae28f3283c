/**
 * A process of its own that grants a case, and stops between the decision and its line in the log:
 * both are written, nothing is committed. It tells the id of its session and waits to be killed.
 */
import { pino } from 'pino';
import { readConfig } from '../../server/config.js';
import { createContext } from '../../server/context.js';

const [id = '', moderator = ''] = process.argv.slice(2);
const context = await createContext(readConfig(process.env), 'decider', {
  log: pino({ level: 'silent' }),
  search: false,
});
const add = context.audit.add.bind(context.audit);
context.audit.add = async (line, session) => {
  await add(line, session);
  const { id } = session?.id ?? {};
  process.send?.({ session: id?.toString('hex') });
  await new Promise(() => undefined);
};
await context.registry.decide({ id: moderator, roles: ['moderator'] }, id, {
  decision: 'grant',
  reason: 'met in person',
});
