/** Loaded by the processes of a test: none outlives the process that started it, also where the test failed or was killed. */
process.once('disconnect', () => process.exit(1));
