import 'reflect-metadata';
import { runProcess } from '@starling/process';
import { startStandalone } from './start-standalone.js';

await runProcess(startStandalone);
