import { testSchedules } from './schedules.js';

testSchedules('schedules-backend-proxy.test.ts', { backend: 11_000, proxy: 5_000, server: 5_000 });
