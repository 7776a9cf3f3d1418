import { testSchedules } from './schedules.js';

testSchedules('schedules-backend-proxy.test.ts', { backend: 36_000, proxy: 16_000 });
