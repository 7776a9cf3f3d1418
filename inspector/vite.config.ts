/**
 * The live page, built into the package: one page, one script, one style sheet, under names that do not change, so that the
 * server can serve them by name and an export can put them into one file. Nothing inline, for the page's policy forbids it.
 */
import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  build: {
    outDir: '../dist/inspector',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    rolldownOptions: {
      output: { entryFileNames: 'inspector.js', assetFileNames: 'inspector.[ext]', codeSplitting: false },
    },
  },
});
