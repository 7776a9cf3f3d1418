import { testSchedules } from './schedules.js';

testSchedules('schedules-backend-proxy.test.ts', { backend: 18_000, proxy: 8_000, server: 8_000 });
