/**
 * A stopped process must not hold a lock for ever: the server ends what idles in a transaction, a lock is waited for
 * with a bound, and a dead peer is noticed by keepalives.
 */
export const SESSION_SETTINGS = {
  idle_in_transaction_session_timeout: '5000',
  lock_timeout: '4000',
  tcp_keepalives_idle: '5',
  tcp_keepalives_interval: '2',
  tcp_keepalives_count: '3',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'iso_8601',
  extra_float_digits: '1',
  default_transaction_isolation: 'read committed',
} as const;
