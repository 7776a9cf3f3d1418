/** Promises that other code settles than the code that makes them. `Promise.withResolvers` needs Node 22. */

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** The same, for callers that need not await it: its rejection alone does not end the process. */
export function optionalDeferred<T>(): Deferred<T> {
  const made = deferred<T>();
  made.promise.catch(ignore);
  return made;
}

function ignore(): void {}
