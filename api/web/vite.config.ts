import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The api serves what stands in dist: index.html for every path of the page, assets/ for good, the rest by its name.
export default defineConfig({
  plugins: [react()],
  build: {
    // the first versions with light-dark(), which the theme is made of
    target: ["chrome123", "firefox121", "safari17.5"],
    // a data: URL of a script or a worklet would break the page's CSP
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  css: { modules: { generateScopedName: "[name]_[local]_[hash:base64:5]" } },
  server: { proxy: { "/v1": "http://127.0.0.1:8000", "/healthz": "http://127.0.0.1:8000" } },
  test: {
    environment: "jsdom",
    setupFiles: ["tests/setup.ts"],
    // a busy machine takes its time: what fails still fails
    testTimeout: 120_000,
    include: ["tests/**/*.test.{ts,tsx}"],
    css: { modules: { classNameStrategy: "non-scoped" } },
  },
});
