/** As XState does: it is the process's error, and no other work stops for it. */
export function report(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}

/** Calls a function of the host's: what it throws is the process's error. */
export function attempt(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}
