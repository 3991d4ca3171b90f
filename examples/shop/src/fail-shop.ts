/** Tells why the shop does not run; what was started before the failure must not keep a failed process alive. */
export function failShop(error: unknown): void {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  const message = error instanceof Error ? error.message : String(error);
  console.error(
    inUse ? `SHOP_PORT_IN_USE: ${message}. Stop what listens there, or choose another: PORT=3001 npm start` : message,
  );
  process.exit(1);
}
