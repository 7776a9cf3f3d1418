// For `--import`: no `setTimeout` of the program fires, so that it does the same on a slow machine as on a fast one.
const { setTimeout: set } = globalThis;
globalThis.setTimeout = /** @type {typeof setTimeout} */ (
  /** @type {unknown} */ (
    /** @param {() => void} callback */
    (callback) => set(callback, 2 ** 31 - 1)
  )
);
