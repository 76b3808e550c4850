import { Controller, UseFilters } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import {
  GroupsRequest,
  RefusalFilter,
  type MembersAmong,
  type MembershipOfUser,
  type MembershipChange,
} from '@starling/bus';
import { GroupsPayload, parsePayload } from './groups.payloads.js';
import { GroupsService } from './groups.service.js';

/** The requests of `groups.requests.ts`; they come from other services, so nothing in them is believed yet. */
@Controller()
@UseFilters(RefusalFilter)
export class GroupsController {
  constructor(private readonly groups: GroupsService) {}

  @MessagePattern(GroupsRequest.join.name)
  async join(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, userId, createIfMissing } = parsePayload(GroupsPayload.join, payload);
    return this.groups.join(groupId, userId, createIfMissing);
  }

  @MessagePattern(GroupsRequest.quit.name)
  async quit(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, userId } = parsePayload(GroupsPayload.quit, payload);
    return this.groups.quit(groupId, userId);
  }

  @MessagePattern(GroupsRequest.ofUser.name)
  async ofUser(@Payload() payload: unknown): Promise<{ memberships: MembershipOfUser[] }> {
    const { userId } = parsePayload(GroupsPayload.ofUser, payload);
    return { memberships: await this.groups.ofUser(userId) };
  }

  @MessagePattern(GroupsRequest.membersAmong.name)
  async membersAmong(@Payload() payload: unknown): Promise<MembersAmong> {
    const { groupId, userIds } = parsePayload(GroupsPayload.membersAmong, payload);
    return this.groups.membersAmong(groupId, userIds);
  }

  @MessagePattern(GroupsRequest.create.name)
  async create(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, ownerId, policy } = parsePayload(GroupsPayload.create, payload);
    return this.groups.create(groupId, ownerId, policy);
  }

  @MessagePattern(GroupsRequest.add.name)
  async add(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, userId, by } = parsePayload(GroupsPayload.add, payload);
    return this.groups.add(groupId, userId, by);
  }

  @MessagePattern(GroupsRequest.remove.name)
  async remove(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, userId, by } = parsePayload(GroupsPayload.remove, payload);
    return this.groups.remove(groupId, userId, by);
  }

  @MessagePattern(GroupsRequest.setRole.name)
  async setRole(@Payload() payload: unknown): Promise<MembershipChange> {
    const { groupId, userId, role, by } = parsePayload(GroupsPayload.setRole, payload);
    return this.groups.setRole(groupId, userId, role, by);
  }

  @MessagePattern(GroupsRequest.dissolve.name)
  async dissolve(@Payload() payload: unknown): Promise<{ groupId: string; version: number }> {
    const { groupId, by } = parsePayload(GroupsPayload.dissolve, payload);
    return this.groups.dissolve(groupId, by);
  }
}
