/**
 * The version of the package, which a test holds against package.json: that file is not there where a program was bundled.
 */
export const VERSION = '0.1.0';
