export default {
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': ['@swc/jest'] },
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['berth-source', 'node', 'node-addons'] },
  testMatch: ['<rootDir>/{pkg,test,cmd,hack}/**/*.test.ts'],
  modulePathIgnorePatterns: ['<rootDir>/dist/'],
  coverageProvider: 'v8',
  // A bound against hanging, wide enough for a slow machine.
  testTimeout: 60_000,
};
