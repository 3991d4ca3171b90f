/**
 * Loaded by the processes of a test: none outlives the process that started it, also where the test failed or was killed. One that
 * lets go of its parent by itself is left alone.
 */
const end = () => process.exit(1);
process.once('disconnect', end);

const letGo = process.disconnect;
process.disconnect = () => {
  process.off('disconnect', end);
  letGo?.call(process);
};
