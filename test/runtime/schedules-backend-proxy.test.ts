import { testSchedules } from './schedules.js';

testSchedules('schedules-backend-proxy.test.ts', { backend: 10_000, proxy: 4_000, server: 4_000 });
