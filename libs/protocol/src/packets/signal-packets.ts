import { z } from 'zod';
import { Command } from '../commands.js';
import { head, whole } from './field-schemas.js';

const signalFields = {
  /** 1: the conversation `eventObj` (chat type), `eventValue` (chat id) has news. 6: logged in. Others pass too. */
  code: whole,
  eventValue: z.unknown().optional(),
  eventObj: z.unknown().optional(),
};

export const signalRequest = z.looseObject({ ...head(Command.Signal), ...signalFields });

export const signalPush = z.looseObject({ ...head(Command.SignalPush), ...signalFields });
