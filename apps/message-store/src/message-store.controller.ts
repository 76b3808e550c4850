import { Controller, Inject, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  MessageStoreRequest,
  RefusalFilter,
  type Positions,
  type RepairReply,
  type ReplayCursor,
  type StoredMessage,
  type SyncedConversation,
  type TouchedConversation,
} from '@starling/bus';
import { MessageStorePayload, parsePayload } from './message-store.payloads.js';
import { HistoryService } from './reading/history.service.js';
import { SyncService } from './reading/sync.service.js';
import { TouchedService } from './reading/touched.service.js';
import { MESSAGE_REPOSITORY, type MessageRepository } from './repository/message-repository.js';

/** The requests of `message-store.requests.ts`; messages themselves come by the submit log, not here. */
@Controller()
@UseFilters(RefusalFilter)
export class MessageStoreController {
  constructor(
    private readonly historyService: HistoryService,
    private readonly touchedService: TouchedService,
    private readonly syncService: SyncService,
    @Inject(MESSAGE_REPOSITORY) private readonly repository: MessageRepository,
  ) {}

  @MessagePattern(MessageStoreRequest.positions.name)
  async positions(): Promise<{ positions: Positions }> {
    return { positions: await this.touchedService.positions() };
  }

  @MessagePattern(MessageStoreRequest.history.name)
  history(@Payload() payload: unknown): Promise<{ messages: StoredMessage[]; more: boolean; head: number }> {
    const { conversation, ...page } = parsePayload(MessageStorePayload.history, payload);
    return this.historyService.history(conversation, page);
  }

  @MessagePattern(MessageStoreRequest.repair.name)
  repair(@Payload() payload: unknown): Promise<RepairReply> {
    const { conversation, from, to, afterPosition } = parsePayload(MessageStorePayload.repair, payload);
    return this.historyService.repair(conversation, from, to, afterPosition);
  }

  @MessagePattern(MessageStoreRequest.touched.name)
  touched(
    @Payload() payload: unknown,
  ): Promise<{ conversations: TouchedConversation[]; more: boolean; reached: Positions }> {
    const { after, userId, groupIds, limit } = parsePayload(MessageStorePayload.touched, payload);
    return this.touchedService.touched(after, userId, groupIds, limit);
  }

  @MessagePattern(MessageStoreRequest.sync.name)
  sync(@Payload() payload: unknown): Promise<{ conversations: SyncedConversation[]; cursor: string | null }> {
    return this.syncService.sync(parsePayload(MessageStorePayload.sync, payload));
  }

  @MessagePattern(MessageStoreRequest.read.name)
  read(@Payload() payload: unknown): Promise<{ seq: number; moved: boolean }> {
    const { userId, conversation, seq } = parsePayload(MessageStorePayload.read, payload);
    return this.repository.moveReadCursor(userId, conversation, seq);
  }

  @MessagePattern(MessageStoreRequest.saveReplay.name)
  async saveReplay(@Payload() payload: unknown): Promise<Record<string, never>> {
    const { entries, leaseMs } = parsePayload(MessageStorePayload.saveReplay, payload);
    const now = Date.now();
    await this.repository.saveReplay(entries, now, now + leaseMs);
    return {};
  }

  @MessagePattern(MessageStoreRequest.loadReplay.name)
  async loadReplay(
    @Payload() payload: unknown,
  ): Promise<{ replay: { base: Positions; cursors: ReplayCursor[] } | null }> {
    const { userId } = parsePayload(MessageStorePayload.loadReplay, payload);
    return { replay: await this.repository.loadReplay(userId, Date.now()) };
  }
}
