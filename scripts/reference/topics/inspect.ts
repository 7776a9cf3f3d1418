/**
 * The entry point `sockchart/inspect`.
 *
 * @module
 */
export * from 'sockchart/inspect';
