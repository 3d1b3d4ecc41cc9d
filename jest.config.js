export default {
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest'] },
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['berth-source', 'node', 'node-addons'] },
  moduleNameMapper: { '^fast-check$': '<rootDir>/test/harness/seeded-fast-check.ts' },
  testMatch: ['<rootDir>/{pkg,test,cmd,hack}/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  coverageProvider: 'v8',
  // A bound against hanging alone, wide enough for a machine many times slower; tests give none of their own below it.
  testTimeout: 240_000,
};
