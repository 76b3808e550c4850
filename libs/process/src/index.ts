export { readConfig, runProcess, type RunningProcess } from './run-process.js';
export { startApp } from './start-app.js';
