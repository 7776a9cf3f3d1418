/**
 * The entry point `sockchart/cluster`.
 *
 * @module
 */
export * from 'sockchart/cluster';
