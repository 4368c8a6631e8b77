module.exports = { maxWorkers: '50%', setupFilesAfterEnv: ['<rootDir>/jest.setup.ts'] };
