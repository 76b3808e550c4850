import { z } from 'zod';
import { Command } from '../commands.js';
import { head, whole, type IdSchema } from './field-schemas.js';

function signalFields(id: IdSchema) {
  return {
    /** 1: the conversation has news. 6: logged in. Others pass too. */
    code: whole,
    /** `chatId` of the conversation the signal is about; null or absent when it is about none. */
    eventValue: id.nullish(),
    /** Its `chatType`. */
    eventObj: z.union([z.number(), z.string()], { error: 'must be a number or a string' }).nullish(),
  };
}

export function signalRequest(id: IdSchema) {
  return z.looseObject({ ...head(Command.Signal), ...signalFields(id) });
}

export function signalPush(id: IdSchema) {
  return z.looseObject({ ...head(Command.SignalPush), ...signalFields(id) });
}
