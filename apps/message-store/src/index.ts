export { MessageStoreModule } from './message-store.module.js';
